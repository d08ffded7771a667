"""What every Store must do with shares and share codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.domain.paging import PageRequest
from carrel.domain.servers import Actual, Wanted
from carrel.domain.shares import Receiver, Share, ShareCode, SharedServer
from carrel.storage.base import Store
from carrel.storage.shares import ShareFilter
from carrel.testing.conformance.store_records import NOW, add_server, add_user

ALL = PageRequest()


class SharesConformance:
    """Shares, and with whom."""

    async def test_shares_come_back_as_they_went_in(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        server = await add_server(store, ada, "lab")
        async with store.write() as tx:
            group = await tx.groups.create("class")
            people, person = Receiver("group", group.id, "class"), Receiver("user", bea.id, "bea")
            first = await tx.shares.put(server.id, person, ["b", "a"], now=NOW)
            second = await tx.shares.put(server.id, people, ["a"], now=NOW + 1)
            assert (await tx.shares.put(server.id, person, ["c"], now=NOW + 2)).id == first.id
        expected = Share(first.id, SharedServer(server.id, ada.id, "ada", "lab", False), person, ("c",), NOW)
        async with store.read() as tx:
            assert first.scopes == ("a", "b")
            assert await tx.shares.find(server.id, person) == expected
            assert await tx.shares.find(server.id, people) == second
            assert second == replace(expected, id=second.id, receiver=people, scopes=("a",), created=NOW + 1)
            assert await tx.shares.find(server.id, replace(people, id=99)) is None
        async with store.write() as tx:
            assert await tx.shares.delete(first.id)
            assert not await tx.shares.delete(first.id)
            assert await tx.shares.delete_of_server(server.id) == 1

    async def test_lists_of_shares(self, store: Store) -> None:
        ada, bea, cleo = [await add_user(store, name) for name in ("ada", "bea", "cleo")]
        default, lab = await add_server(store, ada), await add_server(store, ada, "lab")
        other = await add_server(store, bea)
        async with store.write() as tx:
            group = await tx.groups.create("class")
            await tx.groups.add(group.id, [cleo.id])
            people = Receiver("group", group.id, "class")
            one = await tx.shares.put(default.id, Receiver("user", bea.id, "bea"), ["x"], now=NOW)
            two = await tx.shares.put(lab.id, people, ["x"], now=NOW)
            three = await tx.shares.put(other.id, Receiver("user", cleo.id, "cleo"), ["x"], now=NOW)
        async with store.read() as tx:
            page = tx.shares.page
            assert (await page(ShareFilter(owner_id=ada.id), ALL)).items == (one, two)
            assert (await page(ShareFilter(server_id=lab.id), ALL)).items == (two,)
            assert (await page(ShareFilter(group_id=group.id), ALL)).items == (two,)
            found = await page(ShareFilter(user_id=cleo.id), PageRequest(1, 1))
            assert (found.items, found.total) == ((three,), 2)
            assert await tx.shares.of_user(cleo.id) == [two, three]
            assert await tx.shares.of_user(ada.id) == []
            assert await tx.shares.of_group(group.id) == [two]
            with pytest.raises(ValueError, match="unpack"):
                await page(ShareFilter(), ALL)

    async def test_shares_follow_names_and_states_and_go_with_what_they_are_of(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        running = {"wanted": Wanted.RUNNING, "actual": Actual.RUNNING}
        server, lab = await add_server(store, ada, **running), await add_server(store, ada, "lab")
        async with store.write() as tx:
            group = await tx.groups.create("class")
            await tx.groups.add(group.id, [bea.id])
            for each in (server, lab):
                await tx.shares.put(each.id, Receiver("user", bea.id, "bea"), ["x"], now=NOW)
                await tx.shares.put(each.id, Receiver("group", group.id, "class"), ["x"], now=NOW)
            await tx.users.rename(ada.id, "ida")
            await tx.users.rename(bea.id, "bia")
            first, *_ = await tx.shares.of_user(bea.id)
            assert (first.server.owner, first.receiver.name, first.server.ready) == ("ida", "bia", True)
            await tx.servers.delete(lab)
            assert [each.receiver.kind for each in await tx.shares.of_user(bea.id)] == ["user", "group"]
            await tx.groups.remove(group.id, [bea.id])
            assert [each.receiver.kind for each in await tx.shares.of_user(bea.id)] == ["user"]
            await tx.groups.delete(group.id)
            assert (await tx.shares.page(ShareFilter(owner_id=ada.id), ALL)).total == 1
            await tx.users.delete(bea.id)
            assert (await tx.shares.page(ShareFilter(owner_id=ada.id), ALL)).total == 0


class ShareCodesConformance:
    """Invitations."""

    async def test_codes_come_back_as_they_went_in(self, store: Store) -> None:
        ada = await add_user(store)
        server, lab = await add_server(store, ada), await add_server(store, ada, "lab")
        async with store.write() as tx:
            code = await tx.share_codes.add(server.id, "hash", ["b", "a"], now=NOW, expires=NOW + 60)
            await tx.share_codes.add(lab.id, "other", ["a"], now=NOW, expires=NOW + 10)
        shared = SharedServer(server.id, ada.id, "ada", "", False)
        assert code == ShareCode(code.id, shared, ("a", "b"), NOW, NOW + 60)
        async with store.write() as tx:
            await tx.share_codes.count_exchange(code.id, now=NOW + 1)
            await tx.share_codes.count_exchange(code.id, now=NOW + 2)
            used = replace(code, exchange_count=2, last_exchanged=NOW + 2)
            assert await tx.share_codes.find("hash", now=NOW + 59) == used
            assert await tx.share_codes.find("hash", now=NOW + 60) is None
            assert await tx.share_codes.find("hasH", now=NOW) is None
            page = tx.share_codes.page
            assert (await page(ShareFilter(owner_id=ada.id), ALL, now=NOW)).total == 2
            assert (await page(ShareFilter(owner_id=ada.id), ALL, now=NOW + 10)).items == (used,)
            assert (await page(ShareFilter(server_id=lab.id), ALL, now=NOW)).total == 1
            assert not await tx.share_codes.delete(lab.id, code.id)
            assert await tx.share_codes.delete(server.id, code.id)
            assert await tx.share_codes.delete_of_server(server.id) == 0
            assert await tx.share_codes.purge(NOW + 10) == 1
            await tx.share_codes.add(lab.id, "third", ["a"], now=NOW, expires=NOW + 10)
            await tx.servers.delete(lab)
            assert await tx.share_codes.find("third", now=NOW) is None
