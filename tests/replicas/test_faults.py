"""Hubs that are paused or killed, machines without hubs, and a database that is away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replicas.asking import answers, ask, sign_in
from tests.replicas.rig import Cluster, Replica, cluster
from tests.rigs.poll import until
from tests.rigs.postgres import PostgresServer
from tests.rigs.visitor import Visitor, authorization

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SERVER = "hub/api/users/ada/server"


@pytest.fixture
def east_and_west(postgres_url: str, tmp_path: Path) -> Iterator[Cluster]:
    """Two hubs that take this machine for two."""
    nodes = "import os\nc.JupyterHub.node = ['east', 'west']['hub1' in os.getcwd()]"
    with cluster(tmp_path, postgres_url, 2, nodes) as found:
        yield found


@pytest.fixture
def pair(postgres_url: str, tmp_path: Path) -> Iterator[Cluster]:
    """Two hubs."""
    with cluster(tmp_path, postgres_url, 2) as found:
        yield found


def token_of(hub: Replica, name: str) -> dict[str, str]:
    """Return the header of a user who has just signed in for the first time."""
    sign_in(hub, name)
    return authorization(hub.token(name))


def test_a_hub_that_was_paused_trusts_nothing_it_knew(pair: Cluster) -> None:
    first, second = pair.hubs
    head = token_of(first, "ada")
    made = ask(first, "POST", "hub/api/users/ada/tokens", head, b"{}").json()
    mine = authorization(made["token"])
    assert ask(second, "GET", "hub/api/user", mine).status == 200
    os.kill(second.pid, signal.SIGSTOP)
    try:
        assert ask(first, "DELETE", f"hub/api/users/ada/tokens/{made['id']}", head).status == 204
        # What is proved lasts a second: longer than that it must have been away.
        time.sleep(1.2)
    finally:
        os.kill(second.pid, signal.SIGCONT)
    assert ask(second, "GET", "hub/api/user", mine).status == 403


def test_local_servers_are_left_to_hubs_of_their_machine(east_and_west: Cluster) -> None:
    hubs = east_and_west.hubs
    head = token_of(hubs[0], "ada")
    assert ask(hubs[0], "POST", SERVER, head, b"{}").status in (201, 202)
    until(lambda: ask(hubs[1], "GET", SERVER, head).json()["ready"], "the server to be ready")
    # It writes that down before it says so.
    [mine] = until(
        lambda: [hub for hub in hubs if "/user/ada/ is ready" in hub.log], "its hub to say that it is ready"
    )
    [other] = [hub for hub in hubs if hub is not mine]
    mine.kill9()
    assert ask(other, "DELETE", SERVER, head).status == 202
    # The lease of the dead hub has to run out before.
    until(lambda: "where no hub runs" in other.log, "the other hub to say that it cannot", 60)
    assert ask(other, "GET", SERVER, head).json()["pending"] == "stop"
    assert len(other.servers()) == 1
    mine.start()
    until(lambda: not ask(other, "GET", "hub/api/users/ada", head).json()["servers"], "the stop to be done")
    assert other.servers() == []


def test_the_work_of_a_hub_that_was_killed_is_taken_over(pair: Cluster) -> None:
    first, second = pair.hubs
    head = token_of(first, "ada")
    assert ask(first, "POST", SERVER, head, b"{}").status in (201, 202)
    first.kill9()
    until(lambda: ask(second, "GET", SERVER, head).json()["ready"], "the other hub to finish the start", 40)
    assert ask(second, "DELETE", SERVER, head).status in (202, 204)
    until(lambda: not ask(second, "GET", "hub/api/users/ada", head).json()["servers"], "the stop")


def test_while_the_database_is_away_people_are_asked_to_come_back(
    pair: Cluster, postgres_server: PostgresServer
) -> None:
    hub = pair.hubs[0]
    head = token_of(hub, "ada")
    assert ask(hub, "POST", SERVER, head, b"{}").status in (201, 202)
    until(lambda: ask(hub, "GET", SERVER, head).json()["ready"], "the server to be ready")
    postgres_server.halt()
    try:
        for method, path in (("DELETE", SERVER), ("GET", "hub/api/users/ada"), ("GET", "hub/user/ada/")):
            reply = ask(hub, method, path, head)
            assert reply.status == 503
            assert int(reply.headers["Retry-After"]) >= 1
        # Nobody needs the hub to go on working.
        assert Visitor(pair.plane.url).get("user/ada/api").status == 200
    finally:
        postgres_server.resume()
    for hub in pair.hubs:
        answers(hub, 200, "hub/api/users/ada", head, timeout=30)
        assert hub.process is not None
        assert hub.process.poll() is None
    assert "Traceback" not in hub.log
    assert ask(hub, "DELETE", SERVER, head).status in (202, 204)
    until(lambda: not ask(hub, "GET", "hub/api/users/ada", head).json()["servers"], "the stop to be done")
