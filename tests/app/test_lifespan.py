"""The order in which the hub's parts start, and what happens when one of them does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.app.first_start import point_at_jupyterhub
from carrel.app.lifespan import StopRequest, run_workers, stop_servers, stop_world
from carrel.config.schema import Settings
from carrel.domain.events import ShutdownWanted
from carrel.proxy.base import ProxyError
from carrel.testing.clock import FakeClock
from carrel.testing.fakes import FakeProxy, FakeServer, Script
from carrel.testing.hub import open_test_hub
from tests.lifecycle.hubs import Peer


@pytest.mark.parametrize("call", ["start", "add_route"])
async def test_a_data_plane_that_is_killed_while_the_hub_starts_is_started_again(call: str) -> None:
    async with open_test_hub(work=False) as hub:
        hub.proxy.failures[call] = 2
        async with run_workers(hub.ctx):
            assert "/" in hub.proxy.table


async def test_a_hub_without_a_data_plane_does_not_start() -> None:
    async with open_test_hub(work=False) as hub:
        hub.proxy.failures["start"] = 3
        with pytest.raises(ProxyError):
            async with run_workers(hub.ctx):
                raise AssertionError("it started")


async def test_a_hub_that_does_not_start_is_out_of_the_others_sight() -> None:
    async with open_test_hub(work=False) as hub:
        hub.proxy.failures["start"] = 3
        with pytest.raises(ProxyError):
            async with run_workers(Peer(hub, "a").ctx):
                raise AssertionError("it started")
        async with hub.store.read() as tx:
            assert not await tx.hubs.alive(hub.clock.now())


async def test_what_runs_without_a_row_is_looked_for() -> None:
    async with open_test_hub(work=False) as hub:
        hub.world.servers[5, 1] = FakeServer({})
        async with run_workers(hub.ctx):
            await hub.clock.advance(20)
            assert hub.world.alive() == set()


def test_a_jupyterhub_database_is_pointed_at_while_there_is_none_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(directory=tmp_path)
    point_at_jupyterhub(settings)
    assert not caplog.messages
    (tmp_path / "jupyterhub.sqlite").touch()
    point_at_jupyterhub(settings)
    assert "`carrel import-jupyterhub`" in caplog.text
    caplog.clear()
    point_at_jupyterhub(replace(settings, db_url="postgresql://h/carrel"))
    (tmp_path / "carrel.sqlite").touch()
    point_at_jupyterhub(settings)
    assert not caplog.messages


class SlowToEnd(FakeProxy):
    """A data plane that takes its time to end, and can be started meanwhile; a slow one to start, too."""

    clock: FakeClock
    slow = False

    async def start(self) -> bool:
        fresh = await super().start()
        if self.slow:
            await self.clock.sleep(4)
            self.calls.append(("started", ""))
        return fresh

    async def stop(self) -> bool:
        was = await super().stop()
        await self.clock.sleep(30)
        return was


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_data_plane_that_is_stopped_with_the_hub_is_not_started_again_by_its_watch(
    wanted: bool,
) -> None:
    async with open_test_hub(work=False) as hub:
        proxy = SlowToEnd(public_url="http://hub.test/", hub_url="http://hub.invalid")
        proxy.clock = hub.clock
        ctx = replace(hub.ctx, proxy=proxy)
        async with run_workers(ctx) as leave_proxy:
            request = StopRequest()
            request.by_api = ShutdownWanted(servers=False, proxy=wanted)
            stopping = asyncio.create_task(stop_world(ctx, request, leave_proxy))
            await hub.clock.advance(60)
            await stopping
            after = [call for call, _ in proxy.calls].index("stop") if wanted else 0
            # One that goes on is looked after until the hub is gone.
            assert ("start" not in [call for call, _ in proxy.calls[after:]]) == wanted


async def test_a_data_plane_that_is_being_started_is_stopped_when_it_is_there() -> None:
    async with open_test_hub(work=False) as hub:
        proxy = SlowToEnd(public_url="http://hub.test/", hub_url="http://hub.invalid")
        proxy.clock = hub.clock
        ctx = replace(hub.ctx, proxy=proxy)
        async with run_workers(ctx) as leave_proxy:
            proxy.slow = True
            await hub.clock.advance(6)
            assert proxy.calls[-1][0] == "start"
            request = StopRequest()
            request.by_api = ShutdownWanted(servers=False, proxy=True)
            stopping = asyncio.create_task(stop_world(ctx, request, leave_proxy))
            await hub.clock.advance(60)
            await stopping
            order = [call for call, _ in proxy.calls if call in ("start", "started", "stop")]
            assert order[-3:] == ["start", "started", "stop"]


async def test_who_asks_for_a_server_while_all_are_stopped_gets_none() -> None:
    async with open_test_hub(plugins={"Spawner": {"http_timeout": 1}}) as hub:
        await hub.make_user("ada")
        await hub.make_user("ben")
        await hub.start("ada")
        hub.world.scripts["ada"] = Script(stop_delay=10)
        stopping = asyncio.create_task(stop_servers(hub.ctx))
        await hub.clock.advance(5)
        await hub.ask_start("ben")
        await hub.clock.advance(100)
        assert await stopping == 2
        assert hub.world.alive() == set()
