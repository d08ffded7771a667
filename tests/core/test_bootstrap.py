"""What hubs that share a database agree on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from carrel.authenticators.null import NullAuthenticator
from carrel.core.bootstrap import load_cookie_secret, load_hub_id, load_named_users
from carrel.domain.errors import Invalid
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


class Porter(NullAuthenticator):
    """Notes whom it is told of; has no room for eve."""

    def add_user(self, user: Any) -> None:
        told.append(user.name)
        if user.name == "eve":
            raise Invalid("There is no room")


told: list[str] = []


async def test_the_authenticator_is_told_once_of_users_whom_the_configuration_names(
    hub: TrialHub, caplog: pytest.LogCaptureFixture
) -> None:
    told.clear()
    porter = Porter(allowed_users={"bea", "Eve"}, admin_users={"grace"})
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            await load_named_users(hub.store, porter, hub.clock)
    assert told == ["bea", "eve", "grace"]
    assert caplog.messages == ["The configuration names eve: There is no room"]
    async with hub.store.read() as tx:
        found = [await tx.users.get(name) for name in ("bea", "eve", "grace")]
    assert [user and user.admin for user in found] == [False, False, True]
