"""A hub with ada's running server, and browsers that are logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from carrel.app.web_app import build_web_app
from carrel.core.login import open_session
from carrel.domain.identity import Identity
from carrel.http.sessions import LOGIN_COOKIE, sign
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.rig import client_of
from tests.oauth.applications import DOCS, PHONE, PUBLIC_URL, WIKI

Browse = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A running hub with ada, whose server runs, bea, root, who is an admin, and three applications."""
    async with open_test_hub(public_url=PUBLIC_URL, oauth_clients=[WIKI, PHONE, DOCS]) as hub:
        for name in ("ada", "bea", "root"):
            await hub.make_user(name, admin=name == "root")
        await hub.start("ada")
        yield hub


@asynccontextmanager
async def open_browsers(hub: TrialHub) -> AsyncIterator[Browse]:
    """Yield what makes a browser in which somebody is logged in, or nobody for an empty name."""
    app = build_web_app(hub.ctx)
    async with AsyncExitStack() as stack:

        async def open_browser(name: str) -> httpx.AsyncClient:
            cookies = {}
            if name:
                login = await open_session(hub.ctx, Identity(name))
                cookies = {LOGIN_COOKIE: sign(login.secret, hub.settings.cookie_secret)}
            return await stack.enter_async_context(client_of(app, cookies=cookies))

        yield open_browser


@pytest.fixture
async def browse(hub: TrialHub) -> AsyncIterator[Browse]:
    """Return what makes browsers; see `open_browsers`."""
    async with open_browsers(hub) as browse:
        yield browse
