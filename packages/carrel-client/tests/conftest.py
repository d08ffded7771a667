"""A running server with its hub, shared by all tests, and browsers to visit it with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from singleuser_fakehub import FakeHub
from singleuser_process import SingleUserProcess


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hub() -> AsyncIterator[FakeHub]:
    """A hub that is up."""
    hub = FakeHub()
    await hub.start()
    yield hub
    await hub.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SingleUserProcess]:
    """Alice's server, ready."""
    home: Path = tmp_path_factory.mktemp("home")
    server = await SingleUserProcess.start(hub, home, JUPYTERHUB_ACTIVITY_INTERVAL="1")
    await server.until_ready()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(hub: FakeHub, server: SingleUserProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """A fresh browser of whoever `hub.signed_in` says; alice unless the test sets it."""
    hub.public_server = server.origin
    hub.signed_in, hub.refuse_authorize, hub.failing = "alice", False, False
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session
