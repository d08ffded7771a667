"""What other hubs say reaches this one, what this one says reaches them once, and nothing goes in circles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from carrel.core.cache import CallerCache
from carrel.core.servers import wait_until_settled
from carrel.domain.events import Event, EventsMissed, RightsChanged, RouteMissing, ServerProgress
from carrel.domain.hubs import Hub
from carrel.domain.servers import Wanted
from carrel.lifecycle.hearing import Hearing
from carrel.storage.base import StorageUnavailable
from carrel.testing.factories import NOW, a_caller, a_user
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.hubs import SharedStore

STEP = ServerProgress(1, 2, 20, "Starting")


class ToldStore(SharedStore):
    """Notes what the other hubs are told; the first time fails when asked to."""

    def __init__(self, hub: TrialHub) -> None:
        super().__init__(hub.store)
        self.told: list[list[Event]] = []
        self.fails = False

    async def tell(self, events: Sequence[Event]) -> None:
        """See `Store`."""
        if self.fails:
            self.fails = False
            raise StorageUnavailable("not now")
        self.told.append(list(events))


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A hub beside another one, whose own workers do not run; with the user ada."""
    async with open_test_hub(work=False) as hub:
        await hub.make_user("ada")
        hub.ctx.peers.update([Hub("other", "", "http://other", "0.1", NOW, NOW + 10)])
        yield hub


@pytest.fixture
async def hearing(hub: TrialHub) -> AsyncIterator[tuple[Hearing, ToldStore]]:
    """The hub's ears and mouth, and what it tells the others."""
    store = ToldStore(hub)
    hearing = Hearing(replace(hub.ctx, store=store))  # type: ignore[arg-type]
    hub.ctx.bus.listen(hearing.heed)
    task = asyncio.create_task(hearing.tell())
    yield hearing, store
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_steps_of_a_start_elsewhere_are_kept_and_not_told_back(
    hub: TrialHub, hearing: tuple[Hearing, ToldStore]
) -> None:
    ears, store = hearing
    with hub.ctx.bus.watch(ServerProgress) as watch:
        ears.deliver(STEP)
        assert await watch.next() == STEP
    assert hub.ctx.progress.of(1, 2) == (STEP,)
    await hub.clock.advance(1)
    assert store.told == []


async def test_what_is_said_here_is_told_together_and_once(
    hub: TrialHub, hearing: tuple[Hearing, ToldStore]
) -> None:
    _, store = hearing
    hub.ctx.progress.say(STEP)
    for _ in range(50):
        hub.ctx.bus.publish(RouteMissing("ada", ""))
    hub.ctx.bus.publish(RightsChanged(1))
    await hub.clock.advance(1)
    assert store.told == [[STEP, RouteMissing("ada", "")]]


async def test_what_could_not_be_told_is_lost_and_the_next_is_not(
    hub: TrialHub, hearing: tuple[Hearing, ToldStore]
) -> None:
    _, store = hearing
    store.fails = True
    hub.ctx.progress.say(STEP)
    await hub.clock.advance(1)
    hub.ctx.bus.publish(RouteMissing("ada", ""))
    await hub.clock.advance(1)
    assert store.told == [[RouteMissing("ada", "")]]


async def test_only_who_listens_is_trusted_and_only_after_a_proof(hub: TrialHub) -> None:
    callers = CallerCache(hub.clock.monotonic)
    ears = Hearing(replace(hub.ctx, callers=callers))
    callers.put("x", a_caller(a_user()), None, callers.epoch)

    def is_known() -> bool:
        return callers.get("x", NOW) is not None

    ears.proved(hub.clock.monotonic())
    assert not is_known()
    ears.listening()
    assert not is_known()
    ears.proved(hub.clock.monotonic())
    assert is_known()
    ears.lost()
    assert not is_known()
    ears.proved(hub.clock.monotonic())
    assert not is_known()


async def test_who_waits_looks_again_when_events_were_missed(hub: TrialHub) -> None:
    server = await hub.ask_start()
    waiting = asyncio.create_task(wait_until_settled(hub.ctx, server, 60))
    await hub.clock.settle()
    async with hub.store.write() as tx:
        # As another hub would, without a word to this one.
        await tx.servers.save(replace(server, wanted=Wanted.STOPPED))
    await hub.clock.settle()
    assert not waiting.done()
    hub.ctx.bus.publish(EventsMissed())
    await hub.clock.settle()
    row = await waiting
    assert row is not None
    assert row.wanted is Wanted.STOPPED
