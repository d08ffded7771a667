"""What every Store must do with users, tokens and sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from carrel.domain.errors import Conflict, NotFound
from carrel.domain.paging import PageRequest
from carrel.domain.servers import Actual, Wanted
from carrel.domain.tokens import Session
from carrel.storage.base import Store
from carrel.storage.users import UserFilter
from carrel.testing.conformance.store_records import (
    NAMES,
    NOW,
    add_server,
    add_user,
    client_of,
    code_of,
    token_of,
)


class UsersConformance:
    """People: names, pages, activity."""

    async def test_users_are_found_by_name_and_id(self, store: Store) -> None:
        made = [await add_user(store, name) for name in NAMES]
        async with store.read() as tx:
            assert [await tx.users.get(name) for name in NAMES] == made
            assert [await tx.users.get_by_id(user.id) for user in made] == made
            assert await tx.users.get("ADA") is None
            assert await tx.users.get_by_id(made[-1].id + 1) is None

    async def test_a_name_is_taken_once_and_the_block_may_go_on(self, store: Store) -> None:
        await add_user(store)
        async with store.write() as tx:
            with pytest.raises(Conflict):
                await tx.users.create("ada", admin=True, now=NOW)
            await tx.users.create("bea", admin=True, now=NOW)
        async with store.read() as tx:
            ada, bea = await tx.users.get("ada"), await tx.users.get("bea")
        assert ada is not None
        assert not ada.admin
        assert bea is not None
        assert bea.admin

    async def test_what_authenticators_keep_is_kept_as_it_is(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        async with store.write() as tx:
            await tx.users.set_auth_state(bea.id, None)
            for sealed in ("first", "first", "zweiter ü"):
                await tx.users.set_auth_state(ada.id, sealed)
        async with store.read() as tx:
            assert await tx.users.get_auth_state(ada.id) == "zweiter ü"
            assert await tx.users.get_auth_state(bea.id) is None
            assert await tx.users.get_auth_state(bea.id + 9) is None
        async with store.write() as tx:
            await tx.users.set_auth_state(ada.id, None)
            assert await tx.users.get_auth_state(ada.id) is None

    async def test_rename_and_admin(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        async with store.write() as tx:
            await tx.users.rename(ada.id, "Ædith")
            await tx.users.set_admin(ada.id, True)
            with pytest.raises(Conflict):
                await tx.users.rename(ada.id, "bea")
            await tx.users.rename(bea.id, "bea")
            with pytest.raises(NotFound):
                await tx.users.rename(bea.id + 99, "cleo")
            with pytest.raises(NotFound):
                await tx.users.set_admin(bea.id + 99, True)
        async with store.read() as tx:
            assert await tx.users.get("Ædith") == replace(ada, name="Ædith", admin=True)
            assert (await tx.users.page(UserFilter(name_contains="æDI"), PageRequest())).total == 1

    async def test_ids_are_never_used_again(self, store: Store) -> None:
        first = await add_user(store)
        async with store.write() as tx:
            await tx.users.delete(first.id)
        assert (await add_user(store)).id > first.id

    async def test_deleting_a_user_takes_everything_along(self, store: Store) -> None:
        user = await add_user(store)
        server = await add_server(store, user)
        async with store.write() as tx:
            token = await tx.tokens.add(token_of(user, "f00d" * 16))
            await tx.sessions.add(Session("cafe", user.id, user.name, "sid", NOW, NOW + 9))
            await tx.oauth.put_client(client_of(server))
            await tx.oauth.add_code(code_of(user, "c0de"))
        async with store.write() as tx:
            await tx.users.delete(user.id)
        async with store.write() as tx:
            assert await tx.servers.get_by_id(server.id) is None
            assert await tx.tokens.get(token.id) is None
            assert await tx.sessions.find("cafe") is None
            assert await tx.oauth.get_client("jupyterhub-user-ada") is None
            assert await tx.oauth.take_code("c0de") is None

    async def test_activity_moves_forward_only(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        for moments in ({ada.id: NOW}, {ada.id: NOW - 5, bea.id: NOW + 1, bea.id + 99: NOW}, {}):
            async with store.write() as tx:
                await tx.users.touch(moments)
        async with store.read() as tx:
            page = await tx.users.page(UserFilter(), PageRequest())
        assert [user.last_activity for user in page.items] == [NOW, NOW + 1]

    async def test_users_are_counted(self, store: Store) -> None:
        for name in NAMES:
            await add_user(store, name)
        async with store.write() as tx:
            await tx.users.touch({1: NOW, 3: NOW - 1})
        async with store.read() as tx:
            counted = [await tx.users.count(*since) for since in ((), (NOW - 1,), (NOW,), (NOW + 1,))]
        assert counted == [len(NAMES), 2, 1, 0]

    async def test_pages_search_and_sort(self, store: Store) -> None:
        for name in NAMES:
            await add_user(store, name)
        async with store.write() as tx:
            await tx.users.touch({1: NOW, 3: NOW - 1})

        async def names(which: UserFilter, page: PageRequest = PageRequest()) -> tuple[int, list[str]]:  # noqa: B008
            async with store.read() as tx:
                found = await tx.users.page(which, page)
            return found.total, [user.name for user in found.items]

        assert await names(UserFilter()) == (5, list(NAMES))
        assert await names(UserFilter(), PageRequest(offset=1, limit=2)) == (5, list(NAMES[1:3]))
        assert await names(UserFilter(), PageRequest(offset=9)) == (5, [])
        assert await names(UserFilter(), PageRequest(limit=5)) == (5, list(NAMES))
        assert await names(UserFilter(), PageRequest(4, 2)) == (5, list(NAMES[4:]))
        assert await names(UserFilter(), PageRequest(1, 2, counted=False)) == (3, list(NAMES[1:3]))
        assert await names(UserFilter(sort="name", descending=True)) == (5, sorted(NAMES, reverse=True))
        assert await names(UserFilter(sort="last_activity", descending=True), PageRequest(limit=2)) == (
            5,
            ["ada", "李雷"],
        )
        assert (await names(UserFilter(sort="last_activity")))[1][-1] == "ada"
        assert await names(UserFilter(name_contains="äS")) == (1, ["Äsop"])
        assert await names(UserFilter(name_contains="%b_")) == (1, ["a%b_c/d"])
        assert await names(UserFilter(name_contains="_")) == (1, ["a%b_c/d"])
        assert await names(UserFilter(names=("李雷", "ada", "nobody"))) == (2, ["ada", "李雷"])
        assert await names(UserFilter(names=())) == (0, [])
        assert await names(UserFilter(names=("ada", "Äsop"), name_contains="A")) == (1, ["ada"])

    async def test_states_of_users_are_those_of_their_servers(self, store: Store) -> None:
        expected: dict[str, set[str]] = {"active": set(), "ready": set(), "inactive": {"none"}}
        await add_user(store, "none")
        for actual in Actual:
            for wanted in Wanted:
                for due in (0, 1):
                    user = await add_user(store, f"{actual}-{wanted}-{due}")
                    await add_server(store, user, "other")
                    server = await add_server(
                        store, user, actual=actual, wanted=wanted, wanted_generation=due, url="http://x"
                    )
                    expected["active" if server.active else "inactive"].add(user.name)
                    if server.ready:
                        expected["ready"].add(user.name)
        async with store.read() as tx:
            for state in ("active", "ready", "inactive"):
                page = await tx.users.page(UserFilter(state=state), PageRequest())
                assert {user.name for user in page.items} == expected[state]
                assert page.total == len(expected[state])


class TokensConformance:
    """Tokens and sessions."""

    async def test_tokens_come_back_as_they_went_in(self, store: Store) -> None:
        user = await add_user(store)
        server = await add_server(store, user)
        full = token_of(
            user, "f00d" * 16, note="ünï", client_id="c", session_id="s", server_id=server.id, expires=NOW + 9
        )
        async with store.write() as tx:
            stored = [await tx.tokens.add(full), await tx.tokens.add(token_of(user, "beef" * 16))]
        assert stored[0] == replace(full, id=stored[0].id)
        async with store.read() as tx:
            assert await tx.tokens.of_user(user.id) == stored
            assert await tx.tokens.get(stored[1].id) == stored[1]
            assert await tx.tokens.find("f00d", full.hashed) == stored[0]
            assert await tx.tokens.find("beef", full.hashed) is None

    async def test_the_same_token_twice_is_a_conflict(self, store: Store) -> None:
        user = await add_user(store)

        async def add_twice() -> None:
            async with store.write() as tx:
                await tx.tokens.add(token_of(user, "f00d" * 16))
                await tx.tokens.add(token_of(user, "f00d" * 16))

        with pytest.raises(Conflict):
            await add_twice()
        async with store.read() as tx:
            assert await tx.tokens.of_user(user.id) == []

    async def test_tokens_end_with_what_they_belong_to(self, store: Store) -> None:
        user = await add_user(store)
        server = await add_server(store, user)
        client = client_of(server)
        async with store.write() as tx:
            await tx.oauth.put_client(client)
            belongings: dict[str, dict[str, Any]] = {
                "one": {},
                "own": {"server_id": server.id},
                "client": {"client_id": client.client_id, "session_id": "s2"},
                "session": {"session_id": "s1"},
                "old": {"expires": NOW},
                "young": {"expires": NOW + 1},
            }
            for hashed, changes in belongings.items():
                await tx.tokens.add(token_of(user, hashed, **changes))
        async with store.write() as tx:
            assert await tx.tokens.purge(NOW) == 1
            assert await tx.tokens.delete_of_session("s1") == 1
            assert await tx.tokens.delete_of_client(user.id + 1, client.client_id) == 0
            assert await tx.tokens.delete_of_server(server.id) == 2
            assert await tx.tokens.delete_of_client(user.id, client.client_id) == 0
            left = await tx.tokens.of_user(user.id)
            assert [token.hashed for token in left] == ["one", "young"]
            assert await tx.tokens.delete(left[0].id)
            assert not await tx.tokens.delete(left[0].id)
            await tx.tokens.touch({left[1].id: NOW + 2})
            await tx.tokens.touch({left[1].id: NOW + 1})
            assert [token.last_activity for token in await tx.tokens.of_user(user.id)] == [NOW + 2]

    async def test_clients_say_what_they_are(self, store: Store) -> None:
        server = await add_server(store, await add_user(store))
        client = client_of(server)
        async with store.write() as tx:
            await tx.oauth.put_client(client)
            assert await tx.oauth.descriptions([]) == {}
            assert await tx.oauth.descriptions([client.client_id, "none"]) == {client.client_id: "x"}

    async def test_salted_tokens_are_found_by_how_they_begin(self, store: Store) -> None:
        user = await add_user(store)
        token = token_of(user, "plain")
        salted = [replace(token, prefix="abcd", hashed=f"sha512:{n}:salt:hash") for n in (16384, 1)]
        others = [replace(token, prefix="abcd"), replace(salted[0], prefix="abce")]
        async with store.write() as tx:
            stored = [await tx.tokens.add(each) for each in (*salted, *others)]
        async with store.write() as tx:
            # The cheap ones first.
            assert list(await tx.tokens.salted("abcd")) == [stored[1], stored[0]]
            assert list(await tx.tokens.salted("ab%")) == []
            await tx.tokens.rehash(stored[1].id, "ours")
            assert await tx.tokens.find("abcd", "ours") == replace(stored[1], hashed="ours")
            assert list(await tx.tokens.salted("abcd")) == [stored[0]]

    async def test_imported_logins(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        async with store.write() as tx:
            logins = tx.imported_logins
            await logins.add("hers", ada.id, expires=NOW + 10)
            await logins.add("old", bea.id, expires=NOW)
            assert await logins.owner("hers", now=NOW) == ada.id
            assert await logins.owner("hers", now=NOW + 10) is None
            assert await logins.owner("nobody's", now=NOW) is None
            # What was exchanged is no one's name, and is exchanged once.
            assert await logins.spend("cookie", ada.id, now=NOW + 1, expires=NOW + 9) == NOW + 1
            assert await logins.spend("cookie", ada.id, now=NOW + 5, expires=NOW + 9) == NOW + 1
            assert await logins.owner("cookie", now=NOW) is None
            assert await logins.purge(NOW) == 1
            assert await logins.delete_of_user(ada.id) == 2
            assert await logins.owner("hers", now=NOW) is None

    async def test_sessions(self, store: Store) -> None:
        user, other = await add_user(store), await add_user(store, "bea")
        made = [
            Session(f"hash{i}", owner.id, owner.name, f"sid{i}", NOW, NOW + i)
            for i, owner in enumerate((user, user, user, other))
        ]
        async with store.write() as tx:
            for session in made:
                await tx.sessions.add(session)
        async with store.write() as tx:
            assert await tx.sessions.find("hash1") == made[1]
            assert await tx.sessions.with_id("sid1") == made[1]
            assert await tx.sessions.with_id("nobody's") is None
            assert await tx.sessions.purge(NOW) == 1
            assert await tx.sessions.delete("hash1")
            assert not await tx.sessions.delete("hash1")
            assert [each.user_id for each in await tx.sessions.of_user(user.id)] == [user.id]
            assert await tx.sessions.delete_of_user(user.id) == 1
            assert await tx.sessions.of_user(user.id) == []
            assert await tx.sessions.find("hash2") is None
            assert await tx.sessions.find("hash3") == made[3]
