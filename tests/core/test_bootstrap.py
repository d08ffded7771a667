"""What hubs that share a database agree on."""

from __future__ import annotations

from carrel.core.bootstrap import load_cookie_secret, load_hub_id
from carrel.testing.hub import TrialHub


async def test_the_first_hub_brings_the_secret_and_the_others_take_it(hub: TrialHub) -> None:
    store = hub.store
    assert await load_cookie_secret(store, b"a" * 32) == b"a" * 32
    assert await load_cookie_secret(store, b"b" * 32) == b"a" * 32
    assert await load_cookie_secret(store, b"") == b"a" * 32


async def test_without_any_a_secret_is_made_once(hub: TrialHub) -> None:
    made = await load_cookie_secret(hub.store, b"")
    assert len(made) == 32
    assert await load_cookie_secret(hub.store, b"") == made


async def test_the_installation_keeps_its_id(hub: TrialHub) -> None:
    assert await load_hub_id(hub.store) == hub.ctx.hub.hub_id
