"""Devices are one server's at a time, first come, first served, and free when its run is really over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from carrel.core.servers import watch_start
from carrel.core.standing import device_notes, standing
from carrel.domain.servers import Actual, Server
from carrel.spawners.base import Spawner
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.hubs import Peer

POOLS = {"gpu": ["GPU-a", "GPU-b"], "matlab": 1}
VARIABLES = {"gpu": "CUDA_VISIBLE_DEVICES"}


def apply(spawner: Spawner, options: Mapping[str, Any]) -> None:
    """What a deployer might do: the form says how many."""
    if options.get("broken"):
        raise ValueError("no such size")
    spawner.devices = {kind: int(number) for kind, number in options.items()}


def devices_hub(**settings: Any) -> Any:
    spawner: dict[str, Any] = {"apply_user_options": apply} | settings.pop("spawner", {})
    return open_test_hub(
        plugins={"Spawner": spawner},
        **{"device_pools": dict(POOLS), "device_environment": VARIABLES, **settings},
    )


async def ask(hub: TrialHub, name: str, **need: Any) -> Server:
    """Ask for the server of a new user who needs these devices, and let what can happen happen."""
    await hub.make_user(name)
    await hub.ask_start(name, options=need)
    await hub.clock.advance(1)
    return await hub.server(name)


async def devices_of(hub: TrialHub, name: str) -> dict[str, list[str]]:
    row = await hub.server(name)
    async with hub.ctx.store.read() as tx:
        found = await tx.devices.of_servers([row.id])
    return {kind: list(names) for kind, names in found.get(row.id, {}).items()}


def variable(hub: TrialHub, row: Server) -> str:
    return hub.world.servers[row.id, row.generation].env["CUDA_VISIBLE_DEVICES"]


async def test_a_server_is_told_of_its_devices_and_others_of_none() -> None:
    async with devices_hub() as hub:
        one, two = await ask(hub, "one", gpu=1), await ask(hub, "two", gpu=1, matlab=1)
        none = await ask(hub, "none")
        assert [variable(hub, row) for row in (one, two, none)] == ["GPU-a", "GPU-b", ""]
        assert await devices_of(hub, "two") == {"gpu": ["GPU-b"], "matlab": ["1"]}
        assert await devices_of(hub, "none") == {}


async def test_those_who_find_none_wait_in_order_and_keep_nobody_else_waiting() -> None:
    async with devices_hub(concurrent_spawn_limit=1) as hub:
        await ask(hub, "holder", gpu=2)
        first, second = await ask(hub, "first", gpu=1), await ask(hub, "second", gpu=2)
        third = await ask(hub, "third", gpu=1)
        assert [row.waiting for row in (first, second, third)] == [True] * 3
        assert (await ask(hub, "other", matlab=1)).ready
        assert (await ask(hub, "plain")).ready
        await hub.ask_stop("holder")
        await hub.clock.advance(3)
        assert [(await hub.server(name)).ready for name in ("first", "second", "third")] == [
            True,
            False,
            False,
        ]
        await hub.ask_stop("first")
        await hub.clock.advance(3)
        assert [(await hub.server(name)).ready for name in ("second", "third")] == [True, False]
        assert await devices_of(hub, "second") == {"gpu": ["GPU-a", "GPU-b"]}


async def test_a_wait_is_not_too_long_and_ends_when_it_is_not_wanted_any_more() -> None:
    async with devices_hub(spawn_queue_timeout=30) as hub:
        await ask(hub, "holder", gpu=2)
        await ask(hub, "first", gpu=2)
        await ask(hub, "second", gpu=1)
        await hub.clock.advance(100)
        assert (await hub.server("first")).waiting
        await hub.ask_stop("first")
        await hub.ask_stop("holder")
        await hub.clock.advance(3)
        assert (await hub.server("second")).ready
        assert (await hub.server("first")).actual is Actual.STOPPED


async def test_devices_are_free_only_when_the_process_is_gone() -> None:
    async with devices_hub() as hub:
        hub.world.scripts["holder"] = Script(stop_delay=8)
        await ask(hub, "holder", gpu=2)
        await ask(hub, "next", gpu=1)
        await hub.ask_stop("holder")
        await hub.clock.advance(5)
        assert (await hub.server("holder")).actual is Actual.STOPPING
        assert (await hub.server("next")).waiting
        await hub.clock.advance(6)
        assert (await hub.server("next")).ready


@pytest.mark.parametrize("kill", [True, False])
async def test_a_restart_of_the_hub_changes_nothing(kill: bool) -> None:
    async with devices_hub() as hub:
        holder = await ask(hub, "holder", gpu=1, matlab=1)
        await ask(hub, "second", matlab=1)
        await ask(hub, "third", gpu=1, matlab=1)
        await hub.restart(kill=kill)
        await hub.clock.advance(5)
        assert (await hub.server("holder")).generation == holder.generation
        assert await devices_of(hub, "holder") == {"gpu": ["GPU-a"], "matlab": ["1"]}
        assert [(await hub.server(name)).waiting for name in ("second", "third")] == [True, True]
        await hub.ask_stop("holder")
        await hub.clock.advance(3)
        assert await devices_of(hub, "second") == {"matlab": ["1"]}
        assert (await hub.server("third")).waiting


async def test_a_server_that_died_and_one_that_is_deleted_give_way() -> None:
    async with devices_hub(spawner={"poll_interval": 1}) as hub:
        holder = await ask(hub, "holder", gpu=2)
        await ask(hub, "next", gpu=2)
        hub.world.servers[holder.id, holder.generation].exit_status = 1
        await hub.clock.advance(8)
        assert (await hub.server("holder")).actual is Actual.FAILED
        assert await devices_of(hub, "next") == {"gpu": ["GPU-a", "GPU-b"]}


async def test_a_start_that_fails_gives_them_back() -> None:
    async with devices_hub() as hub:
        hub.world.scripts["bad"] = Script(start_delay=5, start_error=RuntimeError("no"))
        await ask(hub, "bad", gpu=2)
        await ask(hub, "next", gpu=1)
        await hub.clock.advance(10)
        assert (await hub.server("bad")).actual is Actual.FAILED
        assert (await hub.server("next")).ready


@pytest.mark.parametrize(
    ("need", "words"),
    [
        ({"tpu": 1}, "there is no device 'tpu' in c.Carrel.device_pools"),
        ({"gpu": 3}, "3 of 'gpu' are asked for, and c.Carrel.device_pools has 2"),
        ({"gpu": -1}, "Spawner.devices: 'gpu' has to have a number"),
        ({"broken": "yes"}, "no such size"),
    ],
)
async def test_what_can_never_be_had_is_refused_at_once(need: Mapping[str, Any], words: str) -> None:
    async with devices_hub() as hub:
        row = await ask(hub, "ada", **need)
        assert row.actual is Actual.FAILED
        assert row.failure is not None
        assert words in row.failure.message
        assert hub.world.servers == {}


async def test_without_pools_a_need_is_refused() -> None:
    async with devices_hub(device_pools={}, device_environment={}) as hub:
        row = await ask(hub, "ada", gpu=1)
        assert row.failure is not None
        assert "asks for devices (gpu) that nobody has given it" in row.failure.message


async def test_a_hook_that_asks_for_more_is_told() -> None:
    def hook(spawner: Spawner) -> None:
        spawner.devices = {"gpu": 2}

    async with devices_hub(spawner={"pre_spawn_hook": hook}) as hub:
        row = await ask(hub, "ada", gpu=1)
        assert row.failure is not None
        assert "was changed after the devices were given" in row.failure.message
        assert await devices_of(hub, "ada") == {}


async def test_pools_that_are_taken_out_of_the_configuration_leave_nobody_waiting() -> None:
    async with devices_hub() as hub:
        await ask(hub, "holder", gpu=2)
        await ask(hub, "next", gpu=1)
        hub.settings.device_pools.clear()
        await hub.restart()
        await hub.clock.advance(5)
        row = await hub.server("next")
        assert row.actual is Actual.FAILED
        assert row.failure is not None
        assert "nobody has given it" in row.failure.message


async def test_who_waits_is_told_for_what_and_how_many_are_ahead() -> None:
    async with devices_hub() as hub:
        await ask(hub, "holder", gpu=2)
        await ask(hub, "first", gpu=1)
        row = await ask(hub, "second", gpu=1)
        told = [event async for event in _first_steps(hub, row)]
        assert told == [("Waiting for GPU: 1 ahead", 1)]
        place = await standing(hub.ctx, row)
        assert place is not None
        assert (place.ahead, list(place.waits_for)) == (1, ["gpu"])
        assert await device_notes(hub.ctx, [row, await hub.server("holder")]) == {
            row.id: "Waiting for GPU: 1 ahead",
            (await hub.server("holder")).id: "GPU: GPU-a, GPU-b",
        }


async def _first_steps(hub: TrialHub, row: Server) -> AsyncIterator[tuple[str, int | None]]:
    """Yield what a watcher is told within three seconds."""
    steps = watch_start(hub.ctx, row)
    following = asyncio.ensure_future(anext(steps))
    for _ in range(3):
        await hub.clock.advance(1)
        if following.done():
            yield following.result().message, following.result().ahead
            following = asyncio.ensure_future(anext(steps))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await steps.aclose()  # type: ignore[attr-defined]


async def test_a_profile_says_what_its_servers_need() -> None:
    profiles = [{"id": "plain", "default": True}, {"id": "gpu", "devices": {"gpu": 2}}]
    async with open_test_hub(
        plugins={"Profiles": {"profiles": profiles}}, device_pools=POOLS, device_environment=VARIABLES
    ) as hub:
        for name, profile in (("ada", "gpu"), ("bea", "gpu"), ("cleo", "plain")):
            await hub.make_user(name)
            await hub.ask_start(name, {"profile": profile})
            await hub.clock.advance(1)
        rows = [await hub.server(name) for name in ("ada", "bea", "cleo")]
        assert [(row.ready, row.waiting) for row in rows] == [(True, False), (False, True), (True, False)]
        assert [variable(hub, rows[0]), variable(hub, rows[2])] == ["GPU-a,GPU-b", ""]


async def test_two_hubs_on_one_database_give_a_device_once() -> None:
    async with devices_hub(concurrent_spawn_limit=2) as hub:
        peers = [Peer(hub, "node/1-a"), Peer(hub, "node/2-b")]
        await hub.shut_down()
        for number in range(6):
            await hub.make_user(f"user{number}")
            await hub.ask_start(f"user{number}", {"gpu": 1})
        for peer in peers:
            peer.start()
        for stopped in range(6):
            await hub.clock.advance(5)
            rows = [await hub.server(f"user{number}") for number in range(6)]
            assert [row.ready for row in rows].count(True) == min(2, 6 - stopped)
            async with hub.ctx.store.read() as tx:
                leases = await tx.devices.leases()
            assert {lease.server_id for lease in leases} == {row.id for row in rows if row.ready}
            await hub.ask_stop(next(row.user_name for row in rows if row.ready))
        for peer in peers:
            await peer.close()
