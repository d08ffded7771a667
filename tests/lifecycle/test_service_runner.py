from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from carrel.lib.process_table import Process
from carrel.lifecycle import managed_services
from carrel.lifecycle.managed_services import ServiceRunner
from carrel.testing.hub import open_test_hub
from tests.lifecycle.hubs import Peer


async def test_a_process_whose_end_was_waited_for_when_the_hub_stopped_is_ended_by_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ending: list[Process] = []

    async def end(process: Process, name: str) -> None:
        ending.append(process)
        if len(ending) == 1:
            await asyncio.Event().wait()

    monkeypatch.setattr(managed_services, "end", end)
    machine: Any = SimpleNamespace(setting=SimpleNamespace(name="stub"))
    async with open_test_hub(work=False) as hub:
        runner, process = ServiceRunner(hub.ctx, machine), Process(17, "then")
        runner._process = process
        waiting = asyncio.create_task(runner._end())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await runner.stop()
        assert ending == [process] * 2
        # Once it has ended nothing is left to do.
        await runner.stop()
        assert len(ending) == 2


async def test_a_database_that_is_silent_ends_it_before_another_hub_may_start_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[float] = []

    async def end(process: Process, name: str) -> None:
        ended.append(hub.clock.monotonic() - began)

    @asynccontextmanager
    async def hang(**_: object) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(managed_services, "end", end)
    machine: Any = SimpleNamespace(setting=SimpleNamespace(name="stub"))
    async with open_test_hub(work=False, services=[{"name": "stub", "command": ["/bin/true"]}]) as hub:
        peer = Peer(hub, "first")
        runner = ServiceRunner(peer.ctx, machine)
        began = hub.clock.monotonic()
        runner._service, runner._process = await runner._claim(), Process(17, "then")
        await hub.clock.advance(5)
        monkeypatch.setattr(peer.store, "write", hang)
        running = asyncio.create_task(runner.run())
        await hub.clock.advance(60)
        assert [moment < 20 for moment in ended] == [True]
        running.cancel()
