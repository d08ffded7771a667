"""Devices: what a Store must do with leases and with the line for them."""

from __future__ import annotations

from dataclasses import replace

from carrel.domain.devices import DeviceLease, DeviceWait
from carrel.domain.servers import Actual, Server, Wanted
from carrel.storage.base import Store
from carrel.testing.conformance.store_records import NOW, add_server, add_user


async def _write(store: Store, server: Server) -> Server:
    async with store.write() as tx:
        saved = await tx.servers.save(server)
    assert saved is not None
    return saved


class DevicesConformance:
    """A lease counts while the server is in that run, a wait while it waits for that start."""

    async def test_a_device_is_one_runs_until_it_is_over(self, store: Store) -> None:
        user = await add_user(store)
        first = await add_server(store, user, "first", actual=Actual.STARTING, generation=1)
        second = await add_server(store, user, "second", actual=Actual.STARTING, generation=5)
        async with store.write() as tx:
            assert await tx.devices.lease(first.id, 1, {"gpu": ["b", "a"], "matlab": ["1"]})
            assert not await tx.devices.lease(second.id, 5, {"gpu": ["c", "b"]})
        async with store.read() as tx:
            assert await tx.devices.leases() == [
                DeviceLease("gpu", "a", first.id, 1),
                DeviceLease("gpu", "b", first.id, 1),
                DeviceLease("matlab", "1", first.id, 1),
            ]
            found = await tx.devices.of_servers([first.id, second.id])
        assert found == {first.id: {"gpu": ["a", "b"], "matlab": ["1"]}}
        for actual in (Actual.RUNNING, Actual.STOPPING):
            first = await _write(store, replace(first, actual=actual))
            async with store.write() as tx:
                assert not await tx.devices.lease(second.id, 5, {"gpu": ["a"]})
        first = await _write(store, replace(first, actual=Actual.FAILED))
        async with store.write() as tx:
            assert await tx.devices.of_servers([first.id]) == {}
            assert await tx.devices.lease(second.id, 5, {"gpu": ["b", "c"]})
            assert [lease.device for lease in await tx.devices.leases()] == ["b", "c"]

    async def test_a_newer_run_has_nothing_of_the_one_before(self, store: Store) -> None:
        server = await add_server(store, await add_user(store), actual=Actual.RUNNING, generation=1)
        async with store.write() as tx:
            assert await tx.devices.lease(server.id, 1, {"gpu": ["a"]})
        await _write(store, replace(server, actual=Actual.STARTING, generation=2))
        async with store.write() as tx:
            assert await tx.devices.leases() == []
            assert await tx.devices.lease(server.id, 2, {"gpu": ["a"]})

    async def test_a_deleted_server_has_nothing(self, store: Store) -> None:
        server = await add_server(store, await add_user(store), actual=Actual.RUNNING, generation=1)
        async with store.write() as tx:
            assert await tx.devices.lease(server.id, 1, {"gpu": ["a"]})
            assert await tx.servers.delete(server)
            assert await tx.devices.leases() == []

    async def test_starts_wait_for_devices_in_a_line_of_their_own(self, store: Store) -> None:
        user = await add_user(store)
        rows = {
            name: await add_server(
                store, user, name, wanted=Wanted.RUNNING, wanted_generation=3, wished=NOW + wished
            )
            for wished, name in enumerate(("late", "early", "plain"))
        }
        late, early = rows["late"], rows["early"]
        late = await _write(store, replace(late, wished=NOW + 9))
        async with store.write() as tx:
            await tx.devices.wait(late.id, 3, {"gpu": 1})
            await tx.devices.wait(early.id, 3, {"gpu": 4})
            await tx.devices.wait(early.id, 3, {"gpu": 2, "matlab": 1})
            assert await tx.devices.waits() == [
                DeviceWait(early.id, early.wished, {"gpu": 2, "matlab": 1}),
                DeviceWait(late.id, late.wished, {"gpu": 1}),
            ]
            assert [server.name for server in await tx.servers.due(9)] == ["plain"]
            assert await tx.servers.positions([row.id for row in rows.values()]) == {rows["plain"].id: 0}
            assert await tx.servers.count_due_before(late) == 1
        await _write(store, replace(early, wanted=Wanted.STOPPED))
        await _write(store, replace(late, wanted_generation=4))
        async with store.read() as tx:
            assert await tx.devices.waits() == []
            assert [server.name for server in await tx.servers.due(9)] == ["plain", "late"]
