"""Services of several hubs: one of them runs each, all know its token and its route."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replicas.asking import SOON, answers, ask
from tests.replicas.rig import Cluster, Replica, cluster
from tests.rigs import processes
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.postgres import PostgresServer
from tests.rigs.visitor import authorization

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

PROGRAM = ROOT / "tests" / "rigs" / "stub_service.py"
BOSS = authorization("the-admin-service-s-token")


@pytest.fixture
def three(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Cluster]:
    """Three hubs that are to run one service, and know an admin's."""
    services = [
        {"name": "stub", "command": [sys.executable, str(PROGRAM), str(tmp_path)]},
        {"name": "boss", "api_token": "the-admin-service-s-token", "admin": True},
    ]
    url = postgres_server.create_database()
    with cluster(tmp_path, url, extra=f"c.JupyterHub.services = {services!r}") as found:
        yield found
    postgres_server.drop_database(url)


def _runs() -> list[int]:
    def runs_it(pid: int) -> bool:
        return processes.command_line(pid).startswith(f"{sys.executable} {PROGRAM} ")

    return processes.find(lambda pid: "CARREL_SERVICE" in processes.environment(pid) and runs_it(pid))


def _owner(three: Cluster, pid: int) -> Replica:
    owner = processes.environment(pid)["CARREL_HUB_OWNER"]
    [hub] = [hub for hub in three.hubs if f"/{hub.pid}-" in owner]
    return hub


def test_one_runs_it_and_another_takes_over_when_that_one_is_gone(three: Cluster) -> None:
    [first] = until(_runs, "the service to run")
    for end in ("kill9", "terminate"):
        hub = _owner(three, first)
        getattr(hub, end)()
        three.hubs.remove(hub)
        [second] = until(
            lambda gone=first: [pid for pid in _runs() if pid != gone],  # type: ignore[misc]
            "another hub to run it",
            60,
        )
        assert _runs() == [second], "the one of the hub that is gone has ended first"
        first = second
    assert len(three.hubs) == 1
    assert processes.is_alive(first)


def test_what_one_is_told_of_all_know_within_a_second(three: Cluster) -> None:
    one, two, other = three.hubs
    path, token = "hub/api/services/made", "a-token-made-just-now"
    body = json.dumps({"url": one.hub_url.rstrip("/"), "api_token": token}).encode()
    for hub in three.hubs:
        answers(hub, 403, "hub/api/user", authorization(token))
    assert ask(one, "POST", path, BOSS, body).status == 201
    for hub in three.hubs:
        answers(hub, 200, "hub/api/user", authorization(token))

    def routed() -> bool:
        return "/services/made/" in ask(two, "GET", "hub/api/proxy", BOSS).json()

    until(routed, "the route")
    assert ask(other, "DELETE", path, BOSS).status == 200
    for hub in three.hubs:
        answers(hub, 403, "hub/api/user", authorization(token), SOON)
    until(lambda: not routed(), "the route to go")
