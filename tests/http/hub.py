"""A hub's web application without sockets: real store, real sessions, drivers that do nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from jinja2 import StrictUndefined
from traitlets.config import Config

from carrel.app.web_app import build_web_app
from carrel.authenticators.base import Authenticator
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.compat.database import PluginDatabase
from carrel.config.chosen import Chosen
from carrel.config.profiles import ProfileSource, read_source
from carrel.config.schema import Settings
from carrel.core.activity import Activity
from carrel.core.cache import CallerCache
from carrel.core.context import HubContext
from carrel.core.tokens import new_record
from carrel.domain.events import RightsChanged, RouteMissing
from carrel.domain.roles import USER, Role
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.events.bus import Bus
from carrel.events.progress import ProgressLog
from carrel.http.middleware import HubMiddleware
from carrel.lib.clock import SystemClock
from carrel.lib.ids import new_token
from carrel.proxy.base import Proxy
from carrel.spawners.base import Spawner
from carrel.spawners.classes import SpawnerClasses
from carrel.spawners.views import HubView
from carrel.storage.sql.store import SqlStore
from carrel.web.render import Renderer

HOST = "hub.example"
PASSWORD = "open sesame"


class NowhereSpawner(Spawner):
    """Starts nothing; rows are moved by the test."""

    async def start(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    async def stop(self, now: bool = False) -> None:
        """There is nothing to stop."""

    async def poll(self) -> int | None:
        return None


class HastyClock(SystemClock):
    """Does not sleep, but remembers that it was asked to."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Hub:
    """The application and what a test looks at or changes behind its back."""

    ctx: HubContext
    app: HubMiddleware
    clock: HastyClock
    missing: list[RouteMissing] = field(default_factory=list)

    @asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[Browser]:
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 40000))
        url = f"http://{HOST}"
        async with Browser(transport=transport, base_url=url, headers=headers) as browser:
            yield browser

    async def user(self, name: str, *, admin: bool = False) -> User:
        async with self.ctx.store.write() as tx:
            known = await tx.users.get(name)
            return known or await tx.users.create(name, admin=admin, now=self.clock.now())

    async def token(self, name: str) -> str:
        """Return a fresh API token of a user."""
        user, secret = await self.user(name), new_token()
        async with self.ctx.store.write() as tx:
            await tx.tokens.add(new_record(user, secret, ("inherit",), now=self.clock.now()))
        return secret

    async def may(self, name: str, *scopes: str) -> User:
        """Return a user who has a role with `scopes` beside the usual one."""
        user = await self.user(name)
        async with self.ctx.store.write() as tx:
            await tx.roles.put(USER)
            role = await tx.roles.put(Role(f"of-{name}", "", scopes))
            await tx.roles.grant(role, [user.id])
            tx.announce(RightsChanged(user.id))
        return user

    async def group(self, name: str, *members: str) -> None:
        """Make a group with users in it."""
        ids = [(await self.user(member)).id for member in members]
        async with self.ctx.store.write() as tx:
            group = await tx.groups.create(name)
            await tx.groups.add(group.id, ids)

    async def server(self, name: str, server_name: str = "", **changes: Any) -> Server:
        """Return the user's server, after writing `changes` to its row."""
        user = await self.user(name)
        async with self.ctx.store.write() as tx:
            server = await tx.servers.get(user.id, server_name)
            if server is None:
                server = await tx.servers.create(user.id, server_name, now=self.clock.now())
            saved = await tx.servers.save(replace(server, **changes)) if changes else server
        assert saved is not None
        return saved


class Browser(httpx.AsyncClient):
    """A browser without JavaScript: keeps cookies, sends forms with their token, follows nothing."""

    async def xsrf(self, page: str = "/hub/login") -> str:
        """Return the token in a page's form."""
        text = (await self.get(page)).text
        marker = 'name="_xsrf" value="'
        start = text.index(marker) + len(marker)
        return text[start : text.index('"', start)]

    async def send_form(self, page: str, /, **fields: Any) -> httpx.Response:
        """Send a form of a page back to it, with its token."""
        return await self.post(page, data={"_xsrf": await self.xsrf(page), **fields})

    async def log_in(self, name: str = "ada", password: str = PASSWORD, **extra: str) -> httpx.Response:
        fields = {"username": name, "password": password, "_xsrf": await self.xsrf(), **extra}
        return await self.post("/hub/login", data=fields)


@asynccontextmanager
async def open_hub(
    directory: Path,
    *,
    authenticator: Authenticator | None = None,
    plugins: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Hub]:
    """Yield a hub whose users all have the same password."""
    config = Config(plugins or {})
    chosen = Settings(cookie_secret=b"0" * 32, directory=directory, plugins=config, **settings)
    clock, bus = HastyClock(), Bus()
    url = settings.get("db_url", "sqlite://")
    store = SqlStore(url, directory=directory, clock=clock, publish=bus.publish)
    await store.open()
    callers, database = CallerCache(), PluginDatabase(url, directory)
    authenticator = authenticator or DummyAuthenticator(password=PASSWORD)
    authenticator.db = database
    ctx = HubContext(
        settings=chosen,
        store=store,
        bus=bus,
        progress=ProgressLog(bus),
        clock=clock,
        authenticator=authenticator,
        spawners=SpawnerClasses(NowhereSpawner),
        profiles=profiles_of(chosen),
        proxy=Proxy(),
        hub=HubView(api_url=f"http://{HOST}{chosen.base_url}hub/api"),
        callers=callers,
        activity=Activity(30.0),
    )
    app = build_web_app(ctx)
    hub = Hub(ctx, app, clock)
    app.wrapped.state.pages = strict(hub)  # type: ignore[attr-defined]
    bus.listen(callers.heed)
    bus.listen(lambda event: hub.missing.append(event) if isinstance(event, RouteMissing) else None)
    try:
        yield hub
    finally:
        database.dispose()
        await store.close()


def profiles_of(settings: Settings) -> ProfileSource:
    """Return the profiles of the section `Profiles`, all of the only spawner."""
    chosen = Chosen(settings, DummyAuthenticator, NowhereSpawner, Proxy)
    source, problems = read_source(settings, chosen, lambda _: NowhereSpawner)
    assert problems == []
    return source


def strict(hub: Hub) -> Renderer:
    """Return a renderer that fails on a variable that a template misspells."""
    return Renderer(hub.ctx.settings, StrictUndefined)
