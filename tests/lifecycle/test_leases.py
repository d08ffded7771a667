"""Who holds a lease works, who has lost it touches nothing, and nobody is held up for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from carrel.domain.servers import Actual, Lease, Server, Wanted
from carrel.lifecycle.lease import MARGIN, RENEW_EVERY, TERM, LeaseLost, Leases
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.hubs import Peer
from tests.lifecycle.traces import ALL, traces

SPEC, URL = "/user/ada/", "http://127.0.0.1:7"


@pytest.fixture
async def idle() -> AsyncIterator[TrialHub]:
    """A hub whose workers do not run, with the user ada."""
    async with open_test_hub(work=False) as hub:
        await hub.make_user("ada")
        yield hub


async def test_a_lease_is_renewed_while_the_work_lasts(hub: TrialHub) -> None:
    hub.world.script.start_delay = 50
    await hub.start()
    for _ in range(9):
        await hub.clock.advance(5)
        lease = (await hub.server()).lease
        assert lease is not None
        assert TERM - RENEW_EVERY <= lease.expires - hub.clock.now() <= TERM
    await hub.clock.advance(6)
    assert (await hub.server()).ready


async def test_renewing_leaves_the_version_alone(hub: TrialHub) -> None:
    hub.world.script.start_delay = 50
    before = (await hub.start()).version
    await hub.clock.advance(20)
    assert (await hub.server()).version == before


async def test_a_hub_that_holds_nothing_writes_nothing(hub: TrialHub) -> None:
    await hub.start()
    commits = hub.store.commits
    await hub.clock.advance(25)
    assert hub.store.commits == commits


async def _held(peer: Peer, leases: Leases) -> Server:
    """Take ada's server."""
    async with peer.ctx.store.write() as tx:
        row = await tx.servers.create(1, "", now=0.0)
    taken = await leases.acquire(row, lambda row: leases.take(row, 1e12))
    assert taken is not None
    return replace(taken, url=URL)


async def test_a_lease_that_could_not_be_renewed_is_given_up_before_its_end(idle: TrialHub) -> None:
    peer = Peer(idle, "a")
    leases = Leases(peer.ctx, "a")
    row = await _held(peer, leases)
    leases.check(row)
    await idle.clock.advance(TERM - MARGIN - 0.1)
    leases.check(row)
    await idle.clock.advance(0.1)
    with pytest.raises(LeaseLost):
        leases.check(row)


async def test_renewing_in_time_keeps_it(idle: TrialHub) -> None:
    peer = Peer(idle, "a")
    leases = Leases(peer.ctx, "a")
    row = await _held(peer, leases)
    for _ in range(5):
        await idle.clock.advance(5)
        await leases.renew()
    leases.check(row)


async def test_one_that_was_taken_over_is_forgotten_when_it_is_renewed(idle: TrialHub) -> None:
    peer = Peer(idle, "a")
    mine = Leases(peer.ctx, "a")
    row = await _held(peer, mine)
    theirs = Leases(peer.ctx, "b")
    assert await theirs.acquire(row, lambda row: theirs.take(row, 1e12)) is not None
    await mine.renew()
    with pytest.raises(LeaseLost):
        mine.check(row)
    with pytest.raises(LeaseLost):
        await mine.write(row, lambda row: replace(row, display_name="late"))
    assert (await idle.server()).display_name == ""


async def test_one_that_has_run_out_is_not_renewed_together_with_one_that_was_just_taken(
    idle: TrialHub,
) -> None:
    peer = Peer(idle, "a")
    leases = Leases(peer.ctx, "a")
    row = await _held(peer, leases)
    await idle.clock.advance(TERM + 1)
    async with peer.ctx.store.write() as tx:
        other = await tx.servers.create(1, "other", now=0.0)
        # Written, and not yet counted: whoever wrote it has not had its next turn.
        assert await tx.servers.save(leases.take(other, 1e12)) is not None
    await leases.renew()
    with pytest.raises(LeaseLost):
        leases.check(row)


async def test_a_wall_clock_that_leaps_ends_a_lease_too(idle: TrialHub) -> None:
    peer = Peer(idle, "a")
    leases = Leases(peer.ctx, "a")
    row = await _held(peer, leases)
    idle.clock.jump(60)
    with pytest.raises(LeaseLost):
        leases.check(row)


async def test_the_only_hub_of_a_database_loses_nothing_to_a_pause(hub: TrialHub) -> None:
    hub.world.script.start_delay = 20
    await hub.start()
    hub.clock.jump(3600)
    hub.clock.block(15)
    await hub.clock.advance(20)
    # The deadline is an hour past too, so the start is ended, by the hub itself and properly.
    assert (await hub.server()).actual is Actual.FAILED
    assert await traces(hub) == set()


async def test_a_hub_that_is_cut_off_is_replaced_and_does_nothing_more(idle: TrialHub) -> None:
    first, second = Peer(idle, "first"), Peer(idle, "second")
    first.start()
    idle.world.script.start_delay = 15
    await idle.ask_start()
    await idle.clock.advance(5)
    first.store.cut_off = True
    second.start()
    await idle.clock.advance(1)
    assert (await idle.server()).actual is Actual.STARTING, "the lease still holds"
    await idle.clock.advance(TERM)
    server = await idle.server()
    # Nothing in the row says where the server would be, so it cannot be adopted.
    assert (server.actual, server.lease) == (Actual.FAILED, None)
    await idle.clock.advance(60)
    first.store.cut_off = False
    await idle.clock.advance(120)
    assert idle.world.alive() == set()
    assert await traces(idle) == set()
    for peer in (first, second):
        await peer.close()


async def test_one_hub_alone_removes_what_a_deleted_server_left_behind(
    idle: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    removals: list[float] = []

    async def delete_forever(spawner: Any) -> None:
        removals.append(idle.clock.monotonic())
        await idle.clock.sleep(TERM + 5)

    monkeypatch.setattr(idle.ctx.spawner_class, "delete_forever", delete_forever)
    first, second = Peer(idle, "first"), Peer(idle, "second")
    async with idle.store.write() as tx:
        row = await tx.servers.create(1, "", now=0.0)
        await tx.servers.save(replace(row, wanted=Wanted.DELETED))
    first.start()
    await idle.clock.advance(1)
    second.start()
    await idle.clock.advance(TERM)
    assert await idle.reload(row) is not None
    await idle.clock.advance(TERM)
    assert await idle.reload(row) is None
    assert len(removals) == 1
    for peer in (first, second):
        await peer.close()


async def test_what_a_dying_hub_was_removing_is_removed_by_another(
    idle: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Peer(idle, "first"), Peer(idle, "second")

    async def delete_forever(spawner: Any) -> None:
        if not first.store.cut_off:
            first.store.cut_off = True
            await asyncio.Event().wait()

    monkeypatch.setattr(idle.ctx.spawner_class, "delete_forever", delete_forever)
    async with idle.store.write() as tx:
        row = await tx.servers.create(1, "", now=0.0)
        await tx.servers.save(replace(row, wanted=Wanted.DELETED))
    first.start()
    await idle.clock.advance(1)
    second.start()
    await idle.clock.advance(TERM + 1)
    assert await idle.reload(row) is None
    for peer in (first, second):
        await peer.close()


async def test_what_a_cut_off_hub_started_is_adopted_by_another(idle: TrialHub) -> None:
    first, second = Peer(idle, "first"), Peer(idle, "second")
    first.start()
    idle.probe.answers = False
    await idle.ask_start()
    await idle.clock.advance(5)
    first.store.cut_off = True
    second.start()
    await idle.clock.advance(TERM + 1)
    idle.probe.answers = True
    await idle.clock.advance(2)
    assert (await idle.server()).ready
    first.store.cut_off = False
    await idle.clock.advance(60)
    assert (await idle.server()).ready
    assert idle.world.alive() == {(1, 1)}
    assert idle.world.calls.count(("start", (1, 1))) == 1
    await second.routes.sync()
    assert await traces(idle) == ALL
    for peer in (first, second):
        await peer.close()


async def test_the_start_is_not_begun_when_the_lease_ran_out_in_a_hook(idle: TrialHub) -> None:
    peer = Peer(idle, "first")
    peer.start()

    def cut_off(spawner: object) -> None:
        peer.store.cut_off = True
        idle.clock.block(TERM)

    idle.ctx.spawner_class.pre_spawn_hook = cut_off
    await idle.ask_start()
    await idle.clock.advance(1)
    assert ("start", (1, 1)) not in idle.world.calls
    await peer.close()


async def test_no_route_is_set_when_the_lease_ran_out_while_the_data_plane_was_away(idle: TrialHub) -> None:
    peer = Peer(idle, "a")
    leases = Leases(peer.ctx, "a")
    row = await _held(peer, leases)
    idle.proxy.away = True

    async def add() -> None:
        async with peer.routes.added(row, leases.check):
            raise AssertionError("it was set")

    adding = asyncio.create_task(add())
    await idle.clock.advance(TERM - MARGIN)
    idle.proxy.away = False
    await idle.clock.advance(1)
    with pytest.raises(LeaseLost):
        await adding
    assert idle.proxy.specs() == set()


async def test_no_route_is_removed_when_the_lease_ran_out_while_the_table_was_set(
    idle: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, goes_on, putting = Peer(idle, "a"), asyncio.Event(), idle.proxy.put_routes

    async def put_routes(routes: Any) -> None:
        await goes_on.wait()
        await putting(routes)

    monkeypatch.setattr(idle.proxy, "put_routes", put_routes)
    leases = Leases(peer.ctx, "a")
    row = await _held(peer, leases)
    setting = asyncio.create_task(peer.routes.sync())
    await idle.clock.settle()
    removing = asyncio.create_task(peer.routes.remove(row, leases.check))
    await idle.clock.advance(TERM)
    # By now another hub has stopped it and started it anew.
    goes_on.set()
    await setting
    with pytest.raises(LeaseLost):
        await removing
    assert ("delete_route", SPEC) not in idle.proxy.calls


async def test_a_start_that_was_left_behind_leaves_the_next_one_its_route(idle: TrialHub) -> None:
    peer = Peer(idle, "a")
    row = await _held(peer, Leases(peer.ctx, "a"))
    left = peer.routes.added(row)
    await left.__aenter__()
    async with peer.routes.added(replace(row, url="http://127.0.0.1:8")):
        await left.__aexit__(None, None, None)
        await peer.routes.sync()
        assert idle.proxy.table[SPEC][0] == "http://127.0.0.1:8"


async def test_a_lease_of_ours_that_nobody_works_under_is_given_back(hub: TrialHub) -> None:
    await hub.start()
    row = await hub.stop()
    owner = hub.reconciler._leases.owner
    async with hub.ctx.store.write() as tx:
        stray = Lease(owner, hub.clock.now() + 1e6, row.version + 1)
        await tx.servers.save(replace(row, lease=stray))
    await hub.clock.advance(5)
    assert (await hub.server()).lease is None


async def test_two_hubs_share_the_starts(idle: TrialHub) -> None:
    peers = [Peer(idle, "a"), Peer(idle, "b")]
    idle.world.script.start_delay = 3
    names = [f"user{number}" for number in range(20)]
    for name in names:
        await idle.make_user(name)
        await idle.ask_start(name)
    for peer in peers:
        peer.start()
    await idle.clock.advance(10)
    servers = [await idle.server(name) for name in names]
    assert all(server.ready for server in servers)
    assert idle.world.alive() == {(server.id, 1) for server in servers}
    assert sum(call == "start" for call, _ in idle.world.calls) == len(names)
    for peer in peers:
        await peer.close()
