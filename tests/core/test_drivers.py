"""The deployer's functions for forms: they may fail and hang, and are named when they do."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from carrel.core.drivers import options_form, options_from_form
from carrel.core.runs import Owner, build_driver
from carrel.domain.errors import Unavailable
from carrel.testing.hub import open_test_hub


def _raise(*_: Any) -> str:
    raise KeyError("no profile")


async def _hang(*_: Any) -> str:
    await asyncio.Event().wait()
    return ""


async def _form(spawner: Any) -> str:
    return f"<p>{spawner.user.name}</p>"


async def test_a_form_may_be_made_by_a_coroutine() -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"options_form": _form}}) as hub:
        ada = (await hub.make_user("ada")).user
        assert await options_form(hub.ctx, ada) == "<p>ada</p>"


@pytest.mark.parametrize("function", [_raise, _hang])
async def test_a_form_that_cannot_be_made_is_named(function: Any) -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"options_form": function}}) as hub:
        ada = (await hub.make_user("ada")).user
        asking = asyncio.create_task(options_form(hub.ctx, ada))
        await hub.clock.advance(31)
        with pytest.raises(Unavailable, match="options_form: "):
            await asking


async def test_options_that_are_never_read_are_named() -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"options_from_form": _hang}}) as hub:
        ada = (await hub.make_user("ada")).user
        asking = asyncio.create_task(options_from_form(hub.ctx, ada, {}))
        await hub.clock.advance(31)
        with pytest.raises(Unavailable, match="options_from_form: It took longer than 30 seconds"):
            await asking


async def test_servers_are_told_how_the_hub_sets_cookies() -> None:
    options = {"SameSite": "None", "Secure": True}
    settings = {"cookie_options": options}
    async with open_test_hub(tornado_settings=settings, cookie_host_prefix_enabled=True) as hub:
        await hub.make_user("ada")
        server = await hub.ask_start("ada")
        async with hub.ctx.store.read() as tx:
            owner = await tx.users.get("ada")
        assert owner is not None
        env = build_driver(hub.ctx, server, Owner(owner)).get_env()
    assert json.loads(env["JUPYTERHUB_COOKIE_OPTIONS"]) == options
    assert env["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"] == "1"
