"""What every Store must do with OAuth clients, codes and grants, signing keys and facts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from carrel.domain.oauth import OAuthCode
from carrel.domain.signing import SigningKey
from carrel.storage.base import Store
from carrel.testing.conformance.store_records import (
    NOW,
    add_server,
    add_user,
    client_of,
    code_of,
    grant_of,
    token_of,
)


class OAuthConformance:
    """OAuth clients, codes and grants, signing keys and facts."""

    async def test_clients_are_replaced_in_place(self, store: Store) -> None:
        user = await add_user(store)
        client = client_of(await add_server(store, user))
        changed = replace(client, redirect_uri="/other", allowed_scopes=("self",), description="y")
        async with store.write() as tx:
            await tx.oauth.put_client(client)
            await tx.oauth.add_code(code_of(user, "c0de"))
            await tx.oauth.put_client(changed)
        async with store.write() as tx:
            assert await tx.oauth.get_client(client.client_id) == changed
            assert await tx.oauth.get_client("nope") is None
            assert await tx.oauth.take_code("c0de") == code_of(user, "c0de")
            assert await tx.oauth.delete_clients_of_server(client.server_id or 0) == [client.client_id]
            assert await tx.oauth.get_client(client.client_id) is None

    async def test_clients_of_a_kind_and_one_that_goes(self, store: Store) -> None:
        user = await add_user(store)
        server = client_of(await add_server(store, user))
        outside = [
            replace(
                server, client_id=name, server_id=None, kind="external", confirm=name == "b", hashed_secret=""
            )
            for name in ("b", "a")
        ]
        outside[0] = replace(outside[0], other_redirect_uris=("https://b.example/1", "https://b.example/2"))
        async with store.write() as tx:
            for client in (server, *outside):
                await tx.oauth.put_client(client)
            await tx.oauth.add_code(code_of(user, "c0de"))
            await tx.oauth.add_code(replace(code_of(user, "other"), client_id="b"))
            await tx.oauth.add_grant(grant_of(user, "g1", client_id="b"))
            for name in ("a", "b"):
                await tx.tokens.add(token_of(user, f"of {name}", client_id=name))
        async with store.write() as tx:
            assert await tx.oauth.clients("external") == outside[::-1]
            assert await tx.oauth.clients("server") == [server]
            assert await tx.oauth.clients("service") == []
            assert await tx.oauth.delete_client("b")
            assert not await tx.oauth.delete_client("b")
            assert await tx.tokens.delete_all_of_client("b") == 1
            assert await tx.oauth.take_code("other") is None
            assert await tx.oauth.get_grant("g1") is None
            assert await tx.oauth.take_code("c0de") == code_of(user, "c0de")
            assert len(await tx.tokens.of_user(user.id)) == 1

    async def test_a_spent_code_says_what_it_gave(self, store: Store) -> None:
        user = await add_user(store)
        code = replace(code_of(user, "c0de"), nonce="n", auth_time=NOW - 5)
        async with store.write() as tx:
            await tx.oauth.put_client(client_of(await tx.servers.create(user.id, "", now=NOW)))
            await tx.oauth.add_code(code)
            assert await tx.oauth.spent_code("c0de") is None
            assert await tx.oauth.take_code("c0de") == code
            await tx.oauth.note_given("c0de", 7, "g1")
        async with store.read() as tx:
            assert await tx.oauth.spent_code("c0de") == replace(code, token_id=7, grant_id="g1")

    async def test_a_grant_is_renewed_by_whoever_has_its_token(self, store: Store) -> None:
        user = await add_user(store)
        grant = grant_of(user, "g1", session_id="s1")
        later = replace(grant, hashed="second", expires=NOW + 9, token_id=8)
        async with store.write() as tx:
            await tx.oauth.put_client(client_of(await tx.servers.create(user.id, "", now=NOW)))
            await tx.oauth.add_grant(grant)
        async with store.write() as tx:
            assert await tx.oauth.get_grant("g1") == grant
            assert await tx.oauth.grants_of_client(user.id, grant.client_id) == [grant]
            assert await tx.oauth.grants_of_client(user.id, "another") == []
            assert not await tx.oauth.renew_grant(later, "wrong")
            assert await tx.oauth.renew_grant(later, "first")
            assert not await tx.oauth.renew_grant(later, "first")
            assert await tx.oauth.get_grant("g1") == later

    async def test_the_token_of_a_grant_stays(self, store: Store) -> None:
        user = await add_user(store)
        async with store.write() as tx:
            await tx.oauth.put_client(client_of(await tx.servers.create(user.id, "", now=NOW)))
            first = await tx.tokens.add(token_of(user, "first", expires=NOW))
            await tx.tokens.add(token_of(user, "other", expires=NOW))
            await tx.oauth.add_grant(grant_of(user, "g1", token_id=first.id))
            assert await tx.tokens.purge(NOW) == 1
            await tx.oauth.delete_grant("g1")
            assert await tx.tokens.purge(NOW) == 1

    async def test_grants_end_in_many_ways(self, store: Store) -> None:
        user, other = await add_user(store), await add_user(store, "bea")
        async with store.write() as tx:
            await tx.oauth.put_client(client_of(await tx.servers.create(user.id, "", now=NOW)))
            kinds: dict[str, dict[str, Any]] = {
                "alone": {},
                "session": {"session_id": "s1"},
                "old": {"expires": NOW},
                "client": {},
            }
            for key, changes in kinds.items():
                await tx.oauth.add_grant(grant_of(user, key, **changes))
            await tx.oauth.add_grant(grant_of(other, "another"))
        async with store.write() as tx:
            assert await tx.oauth.tokens_of_grants(user.id) == {7}
            assert await tx.oauth.tokens_of_grants(user.id + 99) == set()
            assert await tx.oauth.purge_grants(NOW) == 1
            assert await tx.oauth.delete_grants_of_session("s1") == 1
            assert await tx.oauth.delete_grant("alone")
            assert not await tx.oauth.delete_grant("alone")
            assert await tx.oauth.delete_grants_of_client(user.id, "jupyterhub-user-ada") == 1
            assert await tx.oauth.get_grant("another") is not None
            await tx.users.delete(other.id)
        async with store.read() as tx:
            assert await tx.oauth.get_grant("another") is None

    async def test_signing_keys_in_the_order_of_their_age(self, store: Store) -> None:
        keys = [SigningKey("b", "pem 1", NOW), SigningKey("a", "pem 2", NOW + 1)]
        async with store.write() as tx:
            for key in reversed(keys):
                await tx.signing_keys.add(key)
        async with store.write() as tx:
            assert await tx.signing_keys.all() == keys
            assert await tx.signing_keys.delete("b")
            assert not await tx.signing_keys.delete("b")
            assert await tx.signing_keys.all() == keys[1:]

    async def test_codes_end_with_their_session(self, store: Store) -> None:
        user = await add_user(store)
        server = await add_server(store, user)
        async with store.write() as tx:
            await tx.oauth.put_client(client_of(server))
            await tx.oauth.add_code(replace(code_of(user, "c0de"), session_id="this"))
            assert await tx.oauth.delete_codes_of_session("another") == 0
            assert await tx.oauth.delete_codes_of_session("this") == 1
            assert await tx.oauth.take_code("c0de") is None

    async def test_a_code_is_taken_once(self, store: Store) -> None:
        user = await add_user(store)
        async with store.write() as tx:
            await tx.oauth.put_client(client_of(await tx.servers.create(user.id, "", now=NOW)))
            for hashed, expires in (("c0de", NOW + 1), ("old", NOW)):
                await tx.oauth.add_code(code_of(user, hashed, expires))
        barrier = asyncio.Barrier(5)

        async def take() -> OAuthCode | None:
            await barrier.wait()
            async with store.write() as tx:
                return await tx.oauth.take_code("c0de")

        taken = await asyncio.gather(*(take() for _ in range(5)))
        assert [code for code in taken if code] == [code_of(user, "c0de", NOW + 1)]
        async with store.write() as tx:
            assert await tx.oauth.purge_codes(NOW) == 1
            assert await tx.oauth.purge_codes(NOW) == 0

    async def test_facts(self, store: Store) -> None:
        async with store.write() as tx:
            assert await tx.facts.get("hub-id") is None
            await tx.facts.put("hub-id", "é1")
            await tx.facts.put("hub-id", "é2")
            assert await tx.facts.add("hub-id", "é3") == "é2"
            assert await tx.facts.add("other", "é4") == "é4"
        async with store.read() as tx:
            assert await tx.facts.get("hub-id") == "é2"
            assert await tx.facts.get("other") == "é4"

    async def test_who_adds_a_fact_at_the_same_time_gets_the_same(self, store: Store) -> None:
        async def add(value: str) -> str:
            async with store.write() as tx:
                return await tx.facts.add("secret", value)

        assert len(set(await asyncio.gather(*(add(str(number)) for number in range(5))))) == 1
