"""What a driver knows of a start under way stands in the row, though it never calls `save_state`."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.core.drivers import driver_of
from carrel.domain.errors import Conflict
from carrel.domain.servers import Actual
from carrel.lifecycle.checkpoints import kept
from carrel.testing.fakes import FakeSpawner, Script
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.traces import traces


async def _no_save(self: object) -> None:
    return None


async def test_it_is_written_down_within_a_moment(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSpawner, "save_state", _no_save)
    hub.world.script = Script(start_delay=40)
    await hub.ask_start()
    await hub.clock.advance(3)
    server = await hub.server()
    assert (server.actual, server.state) == (Actual.STARTING, {"handle": 1})


async def test_what_could_not_be_written_is_written_a_moment_later(hub: TrialHub) -> None:
    driver: Any = await driver_of(hub.ctx, await hub.start())
    saved: list[dict[str, Any]] = []

    async def save(state: Any) -> None:
        saved.append(dict(state))
        if len(saved) == 1:
            raise Conflict("The server is being changed by others; try again.")

    driver.state_saver = save
    async with kept(driver, hub.clock, _nothing):
        driver.handle = 7
        await hub.clock.advance(3)
    assert [state["handle"] for state in saved] == [7, 7]


async def _nothing() -> None:
    """Return."""


async def test_what_was_started_when_the_hub_was_killed_is_ended_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeSpawner, "save_state", _no_save)
    monkeypatch.setattr(FakeSpawner, "find_orphans", _none)
    # Where it answers is only known when the start is through.
    async with open_test_hub(plugins={"FakeSpawner": {"ip": "0.0.0.0", "port": 8888}}) as hub:
        await hub.make_user("ada")
        hub.world.script = Script(start_delay=40)
        await hub.ask_start()
        await hub.clock.advance(3)
        assert hub.world.alive() == {(1, 1)}
        await hub.restart(kill=True)
        await hub.clock.advance(20)
        assert hub.world.alive() == set()
        assert await traces(hub) == set()
        failure = (await hub.server()).failure
        assert failure is not None
        assert "restarted" in failure.message


async def _none(self: object, known: Any) -> list[Any]:
    return []
