"""Users whom the authenticator refuses by now are removed, where that is wanted and can be believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.core.invalid_users import remove_invalid_users
from carrel.testing.hub import TrialHub, open_test_hub

USERS = ("ada", "bea", "cyd")


class Choosy(DummyAuthenticator):
    """Refuses whom the test wants."""

    refused: dict[str, Exception]

    async def add_user(self, user: Any) -> None:
        if error := self.refused.get(user.name):
            raise error


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    async with open_test_hub(authenticator_class=Choosy) as hub:
        for name in USERS:
            await hub.make_user(name)
        yield hub


async def names_after(hub: TrialHub, **refused: Exception) -> list[str]:
    assert isinstance(hub.ctx.authenticator, Choosy)
    hub.ctx.authenticator.refused = refused
    task = asyncio.create_task(remove_invalid_users(hub.ctx))
    await hub.clock.advance(5)
    await task
    async with hub.ctx.store.read() as tx:
        return [user.name for user in await tx.users.named(USERS)]


async def test_who_is_refused_goes_with_the_server_that_runs(hub: TrialHub) -> None:
    await hub.start("bea")
    assert await names_after(hub, bea=KeyError("no account")) == ["ada", "cyd"]
    assert hub.world.alive() == set()


async def test_one_that_cannot_say_removes_nobody(hub: TrialHub) -> None:
    assert await names_after(hub, bea=ConnectionError("no directory")) == list(USERS)


async def test_one_that_refuses_everybody_is_not_believed(
    hub: TrialHub, caplog: pytest.LogCaptureFixture
) -> None:
    assert await names_after(hub, **{name: KeyError("no account") for name in USERS}) == list(USERS)
    assert "refuses all users" in caplog.text


async def test_whom_it_blocks_it_is_not_asked_about(hub: TrialHub) -> None:
    hub.ctx.authenticator.blocked_users = {"bea"}
    assert await names_after(hub, bea=KeyError("no account")) == list(USERS)
