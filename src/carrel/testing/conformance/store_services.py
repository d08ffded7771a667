"""What every Store must do with services."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from carrel.domain.errors import Conflict, Invalid
from carrel.domain.services import Service, ServiceToken
from carrel.storage.base import Store
from carrel.testing.conformance.store_records import NAMES, NOW, add_server, add_user, token_of
from carrel.testing.conformance.store_records import client_of as a_client
from carrel.testing.conformance.store_records import code_of as a_code


async def _add(store: Store, name: str = "culler", **fields: Any) -> Service:
    async with store.write() as tx:
        return await tx.services.put(Service(0, name, **fields))


async def _add_token(store: Store, service: Service, hashed: str, **fields: Any) -> ServiceToken:
    async with store.write() as tx:
        return await tx.services.add_token(ServiceToken(0, service.id, hashed[:4], hashed, NOW, **fields))


class ServicesConformance:
    """Services, their tokens, and the lease of the hub that runs one."""

    async def test_services_come_back_as_they_went_in(self, store: Store) -> None:
        full = await _add(
            store,
            admin=True,
            url="http://127.0.0.1:1",
            client_id="service-culler",
            no_confirm=True,
            display=False,
            info={"nested": {"ü": [1, None]}},
            command=("culler", "--timeout=3"),
            timeout=5,
            from_config=False,
        )
        others = [await _add(store, name) for name in NAMES]
        async with store.read() as tx:
            assert await tx.services.get("culler") == full
            assert await tx.services.get_by_id(full.id) == full
            assert await tx.services.of_client("service-culler") == full
            assert await tx.services.get("nope") is None
            assert await tx.services.of_client("nope") is None
            expected = sorted([full, *others], key=lambda service: service.name)
            assert await tx.services.all() == expected

    async def test_a_service_is_replaced_by_name_and_keeps_its_run(self, store: Store) -> None:
        first = await _add(store, url="http://a:1")
        async with store.write() as tx:
            await tx.services.claim(first.id, "hub", expires=NOW + 9, now=NOW)
            assert await tx.services.set_process(first.id, "hub", "machine", 123, "then")
        second = await _add(store, url="http://b:1")
        assert (second.id, second.url, second.node, second.pid, second.start_time) == (
            first.id,
            "http://b:1",
            "machine",
            123,
            "then",
        )

    async def test_two_services_do_not_share_a_client(self, store: Store) -> None:
        await _add(store, client_id="service-x")
        async with store.write() as tx:
            with pytest.raises(Conflict):
                await tx.services.put(Service(0, "other", client_id="service-x"))
            assert await tx.services.get("other") is None
        assert (await _add(store, client_id="service-x", admin=True)).admin

    async def test_what_is_no_json_is_refused(self, store: Store) -> None:
        async with store.write() as tx:
            with pytest.raises(Invalid):
                await tx.services.put(Service(0, "odd", info={"x": object()}))

    async def test_tokens_are_found_and_go_with_their_service(self, store: Store) -> None:
        culler, other = await _add(store), await _add(store, "other")
        mine = await _add_token(store, culler, "aaaa1111", note="from config")
        made = await _add_token(store, culler, "aaaa2222", generated=True)
        theirs = await _add_token(store, other, "bbbb1111")
        async with store.write() as tx:
            assert await tx.services.find_token("aaaa", "aaaa1111") == mine
            assert await tx.services.find_token("aaaa", "bbbb1111") is None
            assert await tx.services.tokens(culler.id) == [mine, made]
            with pytest.raises(Conflict):
                await tx.services.add_token(ServiceToken(0, other.id, "aaaa", "aaaa1111", NOW))
            await tx.services.delete_token(made.id)
            assert await tx.services.tokens(culler.id) == [mine]
            await tx.services.delete(culler.id)
            assert await tx.services.find_token("aaaa", "aaaa1111") is None
            assert await tx.services.tokens(other.id) == [theirs]
        assert (await _add(store)).id > other.id

    async def test_one_hub_at_a_time_runs_a_service(self, store: Store) -> None:
        service = await _add(store)

        async def claim(owner: str, now: float = NOW, **how: Any) -> bool:
            async with store.write() as tx:
                return await tx.services.claim(service.id, owner, expires=now + 10, now=now, **how)

        answers = await asyncio.gather(*(claim(f"hub-{number}") for number in range(5)))
        assert answers.count(True) == 1
        winner = f"hub-{answers.index(True)}"
        assert await claim(winner, NOW + 5)
        assert not await claim("late", NOW + 14)
        assert await claim("late", NOW + 15)
        async with store.write() as tx:
            assert not await tx.services.set_process(service.id, winner, "m", 1, "t")
            await tx.services.release(service.id, winner)
        assert not await claim("third", NOW + 16)
        assert await claim("third", NOW + 16, force=True)
        async with store.write() as tx:
            await tx.services.release(service.id, "third")
            await tx.services.release(service.id, "third")
        assert await claim("fourth", NOW + 17)

    async def test_a_client_goes_with_its_codes_and_all_tokens(self, store: Store) -> None:
        ada, bea = await add_user(store), await add_user(store, "bea")
        server = await add_server(store, ada)
        async with store.write() as tx:
            await tx.oauth.put_client(a_client(server))
            await tx.oauth.add_code(a_code(ada, "code"))
            for number, user in enumerate((ada, bea)):
                await tx.tokens.add(token_of(user, f"cccc{number}", client_id="jupyterhub-user-ada"))
            kept = await tx.tokens.add(token_of(bea, "dddd1"))
            assert await tx.tokens.delete_all_of_client("jupyterhub-user-ada") == 2
            await tx.oauth.delete_client("jupyterhub-user-ada")
            await tx.oauth.delete_client("jupyterhub-user-ada")
            assert await tx.oauth.take_code("code") is None
            assert await tx.tokens.of_user(bea.id) == [kept]
