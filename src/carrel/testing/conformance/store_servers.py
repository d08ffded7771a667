"""What every Store must do with servers and hubs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from carrel.domain.errors import Conflict, Invalid
from carrel.domain.hubs import Hub
from carrel.domain.servers import Actual, Failure, Lease, Server, Wanted
from carrel.storage.base import Store
from carrel.testing.conformance.store_records import (
    NOW,
    add_server,
    add_user,
)


class ServersConformance:
    """Servers: what a row keeps, and who was first."""

    async def test_servers_come_back_as_they_went_in(self, store: Store) -> None:
        user = await add_user(store, "李雷")
        full = await add_server(
            store,
            user,
            "named",
            wanted=Wanted.RUNNING,
            actual=Actual.FAILED,
            wanted_generation=3,
            generation=2,
            lease=Lease("hub-1", NOW + 15.5, 7),
            deadline=NOW + 60,
            state={"pid": 4321, "nested": {"ü": [1, 2.5, None, True]}},
            user_options={"profile": ["a"]},
            display_name="My \U0001f4bb",
            url="http://127.0.0.1:1",
            failure=Failure("exit", "It ended.", "last\nlines", "hint"),
            started=NOW - 1,
            node="machine-1",
            wished=NOW - 2,
            spawner="tents.TentSpawner",
            profile="Large 💻",
        )
        plain = await add_server(store, user)
        async with store.read() as tx:
            assert await tx.servers.get(user.id, "named") == full
            assert await tx.servers.get_by_id(plain.id) == plain
            assert await tx.servers.get(user.id, "nope") is None
            assert await tx.servers.of_users([user.id, user.id + 5]) == [plain, full]
            assert await tx.servers.of_users([]) == []

    async def test_a_server_is_made_once(self, store: Store) -> None:
        user = await add_user(store)
        server = await add_server(store, user)
        async with store.write() as tx:
            with pytest.raises(Conflict):
                await tx.servers.create(user.id, "", now=NOW)
            assert await tx.servers.get(user.id, "") == server

    async def test_tracked_are_the_runs_of_which_there_is_a_checkpoint(self, store: Store) -> None:
        user = await add_user(store)
        live = {"wanted": Wanted.RUNNING, "state": {"pid": 1}, "wanted_generation": 4}
        for number, actual in enumerate((Actual.STARTING, Actual.RUNNING, Actual.STOPPING)):
            await add_server(store, user, str(number), actual=actual, generation=number + 1, **live)
        await add_server(store, user, "bare", actual=Actual.STARTING, generation=1, wanted=Wanted.RUNNING)
        await add_server(store, user, "at rest")
        async with store.read() as tx:
            rows = await tx.servers.of_users([user.id])
            wanted = {(row.id, row.generation) for row in rows if row.state}
            assert len(wanted) == 3
            assert set(await tx.servers.tracked()) == wanted

    async def test_save_needs_the_version_that_was_read(self, store: Store) -> None:
        server = await add_server(store, await add_user(store))
        async with store.write() as tx:
            await tx.servers.touch({server.id: NOW + 1})
            await tx.servers.touch({server.id: NOW})
            first = await tx.servers.save(replace(server, wanted=Wanted.RUNNING, name="x", last_activity=1.0))
            assert await tx.servers.save(replace(server, wanted=Wanted.DELETED)) is None
            assert not await tx.servers.delete(server)
        assert first is not None
        assert first.version == server.version + 1
        async with store.write() as tx:
            found = await tx.servers.get_by_id(server.id)
            assert found == replace(first, name="", last_activity=NOW + 1)
            assert await tx.servers.delete(found)
            assert not await tx.servers.delete(found)
            assert await tx.servers.save(found) is None

    async def test_a_name_is_changed_by_who_has_seen_the_row(self, store: Store) -> None:
        user, other = await add_user(store), await add_user(store, "bea")
        server = await add_server(store, user, "one", display_name="Shown")
        await add_server(store, user, "taken")
        await add_server(store, other, "free")
        async with store.write() as tx:
            for name in ("taken", "one"):
                with pytest.raises(Conflict):
                    await tx.servers.rename(server, name)
            renamed = await tx.servers.rename(server, "free")
            assert await tx.servers.rename(server, "late") is None
        assert renamed == replace(server, name="free", version=server.version + 1)
        async with store.read() as tx:
            assert await tx.servers.get(user.id, "free") == renamed
            assert await tx.servers.get(user.id, "one") is None
        async with store.write() as tx:
            assert await tx.servers.rename(renamed, "") == replace(
                renamed, name="", version=renamed.version + 1
            )

    async def test_of_two_writers_one_wins(self, store: Store) -> None:
        server = await add_server(store, await add_user(store))
        barrier = asyncio.Barrier(6)

        async def write(number: int) -> Server | None:
            await barrier.wait()
            async with store.write(durable=number % 2 == 0) as tx:
                return await tx.servers.save(replace(server, display_name=str(number)))

        wins = [won for won in await asyncio.gather(*map(write, range(6))) if won]
        assert len(wins) == 1
        async with store.read() as tx:
            assert await tx.servers.get_by_id(server.id) == wins[0]

    async def test_unsettled_are_those_that_need_a_look(self, store: Store) -> None:
        user = await add_user(store)
        lease = Lease("hub-1", NOW, 1)
        resting: set[str] = set()
        for actual in Actual:
            for wanted in Wanted:
                for due in (0, 1):
                    name = f"{actual}-{wanted}-{due}"
                    server = await add_server(
                        store, user, name, actual=actual, wanted=wanted, wanted_generation=due
                    )
                    if server.pending is None and wanted is not Wanted.DELETED:
                        resting.add(name)
        await add_server(store, user, "leased", lease=lease)
        async with store.read() as tx:
            everything = {server.name for server in await tx.servers.of_users([user.id])}
            assert {server.name for server in await tx.servers.unsettled()} == everything - resting

    async def test_routed_are_those_with_a_url(self, store: Store) -> None:
        user = await add_user(store)
        await add_server(store, user, "off", actual=Actual.RUNNING)
        on = await add_server(store, user, "on", url="http://127.0.0.1:2")
        async with store.read() as tx:
            assert await tx.servers.routed() == [on]

    async def test_starting_are_those_that_others_work_on(self, store: Store) -> None:
        user = await add_user(store)
        for name, actual, owner in (
            ("ours", Actual.STARTING, "hub-1"),
            ("theirs", Actual.STARTING, "hub-2"),
            ("stopping", Actual.STOPPING, "hub-2"),
        ):
            await add_server(store, user, name, actual=actual, lease=Lease(owner, NOW, 1))
        await add_server(store, user, "nobody's", actual=Actual.STARTING)
        async with store.read() as tx:
            assert [server.name for server in await tx.servers.starting("hub-1")] == ["theirs"]

    async def test_starts_that_are_due_wait_in_the_order_of_their_wishes(self, store: Store) -> None:
        user = await add_user(store)
        due: dict[str, Server] = {}
        for name, wished in (("late", NOW + 9), ("early", NOW), ("tied", NOW)):
            due[name] = await add_server(
                store, user, name, wanted=Wanted.RUNNING, wanted_generation=1, wished=wished
            )
        await add_server(store, user, "off")
        await add_server(
            store, user, "begun", wanted=Wanted.RUNNING, actual=Actual.STARTING, wanted_generation=1
        )
        async with store.read() as tx:
            assert await tx.servers.tracked() == set()
            assert [server.name for server in await tx.servers.due(5)] == ["early", "tied", "late"]
            assert [server.name for server in await tx.servers.due(1)] == ["early"]
            counts = {name: await tx.servers.count_due_before(server) for name, server in due.items()}
            ids = {server.id: name for name, server in due.items()}
            positions = await tx.servers.positions([*ids, 0])
        assert counts == {"early": 0, "tied": 1, "late": 2}
        assert {ids[key]: ahead for key, ahead in positions.items()} == counts

    async def test_pages_of_ids(self, store: Store) -> None:
        user = await add_user(store)
        kinds: dict[str, dict[str, Any]] = {
            "off": {},
            "due": {"wanted": Wanted.RUNNING, "wanted_generation": 1},
            "starts": {"wanted": Wanted.RUNNING, "actual": Actual.STARTING},
            "runs": {"wanted": Wanted.RUNNING, "actual": Actual.RUNNING, "url": "http://a:1"},
            "ends": {"actual": Actual.RUNNING, "url": "http://a:2"},
            "stops": {"actual": Actual.STOPPING, "url": "http://a:3"},
            "goes": {"wanted": Wanted.DELETED},
            "leased": {"lease": Lease("hub-1", NOW, 1)},
        }
        ids = {name: (await add_server(store, user, name, **kind)).id for name, kind in kinds.items()}
        flying = [ids[name] for name in ("starts", "ends", "stops", "goes", "leased")]
        async with store.read() as tx:
            assert await tx.servers.in_flight(0, 3) == flying[:3]
            assert await tx.servers.in_flight(flying[2], 9) == flying[3:]
            routed = await tx.servers.with_url(0, 9)
            assert routed == [ids[name] for name in ("runs", "ends", "stops")]
            assert await tx.servers.with_url(routed[0], 1) == routed[1:2]
            assert await tx.servers.count_active() == (5, 2)
            assert await tx.servers.count_ready() == 1

    async def test_those_with_names(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        await add_server(store, ada)
        named = [await add_server(store, user, "Old Name") for user in (ada, bea)]
        async with store.read() as tx:
            assert await tx.servers.named() == [(server.id, "Old Name") for server in named]

    async def test_leases_are_renewed_while_they_hold(self, store: Store) -> None:
        user = await add_user(store)
        mine = await add_server(store, user, "mine", lease=Lease("me", NOW + 5, 1))
        others = [
            await add_server(store, user, "gone", lease=Lease("me", NOW, 1)),
            await add_server(store, user, "theirs", lease=Lease("them", NOW + 5, 1)),
            await add_server(store, user, "free"),
        ]
        async with store.write() as tx:
            assert await tx.servers.renew("me", expires=NOW + 15, now=NOW) == {(mine.id, 1)}
        async with store.read() as tx:
            renewed = await tx.servers.get_by_id(mine.id)
            assert renewed == replace(
                mine, lease=Lease("me", NOW + 15, mine.lease.fence if mine.lease else 0)
            )
            assert [await tx.servers.get_by_id(other.id) for other in others] == others

    async def test_a_state_that_is_not_json_is_refused(self, store: Store) -> None:
        server = await add_server(store, await add_user(store))
        with pytest.raises(Invalid):
            async with store.write() as tx:
                await tx.servers.save(replace(server, state={"socket": object()}))


class HubsConformance:
    """The hubs that share a database."""

    async def test_hubs_come_and_go(self, store: Store) -> None:
        first = Hub("1-aa", "machine", "http://127.0.0.1:1", "0.1", NOW, NOW + 10)
        second = Hub("2-bb", "machine", "http://127.0.0.1:2", "0.2", NOW + 1, NOW + 10)
        async with store.write() as tx:
            await tx.hubs.put(second)
            await tx.hubs.put(first)
            assert await tx.hubs.alive(NOW) == [first, second]
            await tx.hubs.put(replace(second, expires=NOW + 20))
            assert await tx.hubs.alive(NOW + 10) == [replace(second, expires=NOW + 20)]
            assert await tx.hubs.purge(NOW + 10) == 1
            await tx.hubs.remove("2-bb")
            await tx.hubs.remove("2-bb")
            assert await tx.hubs.alive(NOW) == []
