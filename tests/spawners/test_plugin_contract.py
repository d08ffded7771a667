"""What plug-ins written for JupyterHub find on a spawner, beyond what Carrel's own drivers use."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from traitlets import directional_link
from traitlets.config import Config

from carrel.spawners.base import Spawner
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.reports import exit_status
from carrel.spawners.run import make_spawner, refresh_owner
from carrel.testing.fakes import FakeSpawner, FakeWorld
from tests.spawners.rig import hub_view, own_name, run_of, user_view


def fake(**run: Any) -> FakeSpawner:
    return make_spawner(FakeWorld().spawner_class(), run_of(**run), Config())


class Wrapper(Spawner):
    """Starts a spawner within it that has all its traits, as wrapspawner does."""

    child: FakeSpawner

    def start(self) -> Any:
        self.child = FakeWorld().spawner_class()(user=self.user, hub=self.hub, server=self._server)
        for name in set(self.trait_names()) & set(self.child.trait_names()):
            directional_link((self, name), (self.child, name))
        return self.child.start()

    def stop(self, now: bool = False) -> Any:
        return self.child.stop(now)

    def poll(self) -> Any:
        return self.child.poll()

    def get_state(self) -> dict[str, Any]:
        return {"child": self.child.get_state()}


async def test_one_inside_another_has_all_that_the_hub_gave_and_its_checkpoint_is_kept() -> None:
    outer = make_spawner(Wrapper, run_of(state={}, user_options={"size": "large"}), Config())
    saved: list[Mapping[str, Any]] = []

    async def keep(_: Mapping[str, Any]) -> None:
        saved.append(outer.get_state())

    outer.state_saver = keep
    await outer.start()
    inner = outer.child
    same = ("user", "hub", "db", "orm_spawner", "server", "api_token", "name", "server_id", "user_options")
    assert all(getattr(inner, name) == getattr(outer, name) for name in same)
    assert inner.get_env()["JUPYTERHUB_API_TOKEN"] == "a-token"
    assert saved == [{"child": {"handle": 2}}]
    outer.port = 4321
    assert inner.port == 4321


def test_an_owner_has_the_server_and_the_spawner_that_is_theirs() -> None:
    driver = fake()
    assert driver.user.server is driver.server
    assert (driver.user.spawner, driver.user.spawners[""]) == (driver, driver)
    refresh_owner(driver, user_view(groups=("gpu",)))
    assert (driver.user.groups, driver.user.spawner) == (("gpu",), driver)
    run = replace(run_of(), name="lab")
    named = make_spawner(FakeWorld().spawner_class(), run, Config())
    assert (named.user.spawner, named.user.spawners["lab"]) == (None, named)
    assert (named.server.base_url, named.user.url) == ("/user/alice/lab/", "/user/alice/")


def test_the_hub_says_where_it_is_as_it_once_did() -> None:
    driver = fake(hub=hub_view(api_url="http://10.1.2.3:8081/jh/hub/api", base_url="/jh/hub/"))
    hub = driver.hub
    assert (hub.ip, hub.port, hub.host) == ("10.1.2.3", 8081, "http://10.1.2.3:8081")
    assert (hub.server.base_url, hub.server.url) == ("/jh/hub/", "http://10.1.2.3:8081/jh/hub/")
    assert hub.url == "http://10.1.2.3:8081/jh/hub/"
    assert fake(hub=hub_view(api_url="https://hub.example/hub/api")).hub.port == 443


def test_what_is_set_for_the_database_is_harmless() -> None:
    driver = fake(state={"handle": 2})
    driver.server.port = 1234
    driver.db.commit()
    assert driver.orm_spawner.server.port == 1234
    assert (driver.orm_spawner.id, driver.orm_spawner.state) == (7, {"handle": 2})


def test_names_of_a_spawner() -> None:
    driver = fake(hub=hub_view(public_url="https://hub.example"))
    assert driver.public_url == "https://hub.example/user/alice/"
    assert fake().public_url == ""
    assert (driver.active, driver.ready, driver.pending) == (True, True, None)
    assert not fake(generation=0).active
    assert driver.env == driver.get_env()


async def test_certificates_are_none() -> None:
    assert await fake().create_certs() == {}
    assert await fake().move_certs({"keyfile": "/k"}) == {"keyfile": "/k"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, None),
        (0, 0),
        (-9, -9),
        (True, 1),
        ("3", 3),
        ("ExitCode=137, Error='', FinishedAt=2026-01-31T12:00:00Z", 137),
        ("{'ContainerStatus': {'ExitCode': 2}, 'State': 'failed'}", 2),
        ("{'Err': 'no suitable node', 'State': 'rejected'}", 0),
        ("gone", 0),
    ],
)
def test_statuses_may_be_words(answer: Any, status: int | None) -> None:
    assert exit_status(answer) == status


@pytest.mark.parametrize("answer", ["", 0.5, [], {}, object()])
def test_what_is_no_status_is_told(answer: Any) -> None:
    with pytest.raises(ValueError, match="neither None nor an exit status"):
        exit_status(answer)


class StartsItself(LocalProcessSpawner):
    """Starts in its own way and sets `proc` alone."""

    async def start(self) -> tuple[str, int]:
        self.proc = await asyncio.to_thread(subprocess.Popen, ["sleep", "60"])
        return "127.0.0.1", 1


@pytest.mark.real
async def test_a_process_that_a_subclass_started_is_polled_found_again_and_stopped() -> None:
    driver = make_spawner(StartsItself, run_of(own_name()), Config())
    await driver.start()
    try:
        assert await driver.poll() is None
        state = driver.get_state()
        again = make_spawner(LocalProcessSpawner, run_of(own_name(), state=state), Config())
        assert await again.poll() is None
    finally:
        await driver.stop(now=True)
    assert await driver.poll() is not None
    driver.proc.wait()
