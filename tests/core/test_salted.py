"""Tokens that came with salted digests are found by trying, and stored in our own form when they are used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.core.access import caller_of_token
from carrel.core.tokens import new_record
from carrel.domain.services import Service, ServiceToken
from carrel.lib.ids import digest, hash_token, new_token
from carrel.testing.hub import TrialHub


async def add(hub: TrialHub, secret: str, *, rounds: int = 1, expires: float | None = None) -> int:
    async with hub.ctx.store.read() as tx:
        user = await tx.users.get("ada")
    assert user is not None
    record = new_record(user, secret, ("inherit",), now=hub.clock.now(), expires=expires)
    async with hub.ctx.store.write() as tx:
        return (await tx.tokens.add(replace(record, hashed=hash_token(secret, rounds)))).id


@pytest.mark.parametrize("rounds", [1, 16384])
async def test_a_token_is_found_and_rehashed(hub: TrialHub, rounds: int) -> None:
    secret = new_token()
    number = await add(hub, secret, rounds=rounds)
    await add(hub, secret[:4] + "0" * 28)
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.name == "ada"
    async with hub.ctx.store.read() as tx:
        stored = await tx.tokens.get(number)
    assert stored is not None
    assert stored.hashed == digest(secret)
    assert await caller_of_token(hub.ctx, secret[:4] + "1" * 28) is None


async def test_an_expired_one_is_nobody_s(hub: TrialHub) -> None:
    secret = new_token()
    await add(hub, secret, expires=hub.clock.now() - 1)
    assert await caller_of_token(hub.ctx, secret) is None


async def test_a_digest_is_no_token(hub: TrialHub) -> None:
    secret = new_token()
    await add(hub, secret)
    async with hub.ctx.store.read() as tx:
        [stored] = await tx.tokens.salted(secret[:4])
    for guess in (stored.hashed, stored.hashed.split(":")[-1], secret[:4], "", "%", f"{secret[:4]}%"):
        assert await caller_of_token(hub.ctx, guess) is None


async def test_a_service_s_token_is_found_and_rehashed(hub: TrialHub) -> None:
    secret = new_token()
    async with hub.ctx.store.write() as tx:
        service = await tx.services.put(Service(0, "reader"))
        await tx.services.add_token(ServiceToken(0, service.id, secret[:4], hash_token(secret), 1.0))
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.name == "reader"
    async with hub.ctx.store.read() as tx:
        [stored] = await tx.services.tokens(service.id)
    assert stored.hashed == digest(secret)
