"""A whole hub for each test, and clients of several people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from carrel.app.web_app import build_web_app
from carrel.domain.services import Service
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.rig import client_of

Clients = dict[str, httpx.AsyncClient]


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A running hub with ada, whose server runs and who is in class, bea, and root, who is an admin."""
    async with open_test_hub(allow_named_servers=True) as hub:
        for name in ("ada", "bea", "root"):
            await hub.make_user(name, admin=name == "root")
        await hub.make_group("class", "ada")
        async with hub.ctx.store.write() as tx:
            await tx.services.put(Service(0, "board", url="http://127.0.0.1:1", from_config=False))
        await hub.start("ada")
        yield hub


@pytest.fixture
async def clients(hub: TrialHub) -> AsyncIterator[Clients]:
    """Clients of nobody, of each user, of ada's server, and one with a token that was made up."""
    app = build_web_app(hub.ctx)
    tokens: dict[str, str | None] = {"nobody": None, "stranger": "0" * 32}
    for name in ("ada", "bea", "root"):
        tokens[name] = await hub.token_of((await hub.find(name)).user)
    tokens["server"] = hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(client_of(app, token)) for name, token in tokens.items()}
