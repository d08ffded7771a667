"""The database goes away in the middle of work: nothing that runs is lost, and nothing is begun twice."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from carrel.domain.servers import Actual
from carrel.storage.base import StorageUnavailable
from carrel.testing.hub import TrialHub


@asynccontextmanager
async def _away(**_: Any) -> AsyncIterator[None]:
    raise StorageUnavailable("The connection was lost.")
    yield


@pytest.mark.parametrize("seconds", [2, 20])
async def test_a_start_that_was_cut_off_is_adopted(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seconds: int
) -> None:
    caplog.set_level(logging.WARNING)
    hub.world.script.start_delay = 5
    await hub.start()
    await hub.clock.advance(4)
    with monkeypatch.context() as outage:
        for way in ("read", "write"):
            outage.setattr(hub.store, way, _away)
        await hub.clock.advance(seconds)
    await hub.clock.advance(30)
    server = await hub.server()
    assert server.ready
    assert [call for call, _ in hub.world.calls].count("start") == 1
    assert hub.world.alive() == {(server.id, server.generation)}
    assert hub.proxy.specs() == {"/user/ada/"}
    assert not any(record.exc_info for record in caplog.records)


async def test_a_stop_that_was_cut_off_is_finished(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.start()
    hub.world.script.stop_delay = 5
    await hub.stop()
    await hub.clock.advance(4)
    with monkeypatch.context() as outage:
        for way in ("read", "write"):
            outage.setattr(hub.store, way, _away)
        await hub.clock.advance(10)
    await hub.clock.advance(60)
    assert (await hub.server()).actual is Actual.STOPPED
    assert hub.world.alive() == set()
