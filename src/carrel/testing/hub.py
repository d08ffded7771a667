"""A whole hub in one process, without sockets and real processes, for tests.

    async with open_test_hub() as hub:
        ada = await hub.make_user("ada")
        server = await hub.start("ada")
        await hub.restart(kill=True)
        assert (await hub.server("ada")).ready

The database is SQLite in memory (or a file in `directory`), the servers live in `hub.world`, the routes in
`hub.proxy`, and time passes only by `hub.clock.advance`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from carrel.authenticators.base import Authenticator
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.config.chosen import Chosen
from carrel.config.oauth_clients import read_clients
from carrel.config.profiles import ProfileSource, read_source
from carrel.config.rights import read_rights
from carrel.config.schema import BadConfig, Settings
from carrel.config.services import read_services
from carrel.core.activity import Activity
from carrel.core.bootstrap import load_hub_id, load_named_users
from carrel.core.cache import CallerCache
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.oauth import load_clients
from carrel.core.rights import load_rights
from carrel.core.servers import ask_to_start, ask_to_stop, reload_server
from carrel.core.service_records import load_services
from carrel.core.tokens import new_record
from carrel.domain.events import Event
from carrel.domain.scopes import expand
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.events.bus import Bus
from carrel.events.progress import ProgressLog
from carrel.lib.ids import new_token
from carrel.lifecycle.orphans import OrphanKeeper
from carrel.lifecycle.reconciler import Reconciler
from carrel.lifecycle.routes import RouteKeeper
from carrel.spawners.base import Spawner
from carrel.spawners.classes import SpawnerClasses
from carrel.spawners.views import HubView
from carrel.storage.sql.store import SqlStore
from carrel.testing.clock import FakeClock
from carrel.testing.factories import a_caller, some_settings
from carrel.testing.fakes import FakeProbe, FakeProxy, FakeWorld
from carrel.testing.mortal import Life, MortalStore


class TrialHub:
    """A hub in a test; `ctx` and `store` are those of the present process and change with `restart`."""

    ctx: HubContext
    store: MortalStore
    routes: RouteKeeper
    reconciler: Reconciler
    orphans: OrphanKeeper

    def __init__(
        self, settings: Settings, clock: FakeClock, spawner_class: type[Spawner] | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.world = FakeWorld(clock)
        self.proxy = FakeProxy(public_url=f"http://hub.test{settings.base_url}", hub_url="http://hub.invalid")
        self.probe = FakeProbe()
        self.spawner_class = spawner_class or self.world.spawner_class()
        """That of the next boot; profiles may name others."""
        self.further: list[type[Spawner]] = []
        """What `c.Profiles.spawners` names at the next boot."""
        self._database: SqlStore | None = None
        self._bus = Bus()
        self._lives: list[Life] = []
        self._tasks: list[asyncio.Task[Any]] = []

    async def boot(self, *, dies_after: int | None = None, work: bool = True) -> None:
        """Start a hub process over what the last one left; it dies after so many commits when asked to.

        Without `work` its workers do not run, and servers stay what they are.
        """
        life = Life()
        life.install()
        self._lives.append(life)
        if self._database is None:
            self._database = SqlStore(
                self.settings.db_url,
                directory=self.settings.directory,
                clock=self.clock,
                publish=self._publish,
            )
            await self._database.open()
        self.store = MortalStore(self._database, life)
        self.ctx = await self._build()
        self.routes = RouteKeeper(self.ctx)
        self.reconciler = Reconciler(self.ctx, self.probe, self.routes, owner=f"hub {len(self._lives)}")
        self.orphans = OrphanKeeper(self.ctx, self.reconciler.finder)
        self.ctx.bus.listen(self.reconciler.heed)
        self.ctx.bus.listen(self.routes.heed)
        if not work:
            return
        await self.ctx.proxy.start()
        await self.routes.sync()
        self.store.commits, self.store.dies_after = 0, dies_after
        self._tasks = [
            life.spawn(self.reconciler.run(), "reconciler"),
            life.spawn(self.routes.run(), "routes"),
            life.spawn(self.orphans.run(), "orphans"),
        ]

    async def restart(self, *, kill: bool = True, dies_after: int | None = None) -> None:
        """Replace the hub process: by kill -9, which cleans nothing up, or by a clean stop."""
        await self.shut_down(kill=kill)
        if self.settings.db_url != "sqlite://":
            await self._close_database()
        await self.boot(dies_after=dies_after)

    async def shut_down(self, *, kill: bool = False) -> None:
        """End the hub process; the world, the proxy and the database stay."""
        life = self._lives[-1]
        if kill:
            life.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if not life.over:
            await self.ctx.activity.flush(self.ctx.store)

    async def close(self) -> None:
        """End everything."""
        await self.shut_down(kill=self._lives[-1].over)
        for life in self._lives:
            life.kill()
            await life.bury()
        await self._close_database()

    # People

    async def make_user(self, name: str = "ada", *, admin: bool = False) -> Caller:
        """Create a user and return them as a caller with all their rights."""
        async with self.ctx.store.write() as tx:
            user = await tx.users.create(name, admin=admin, now=self.clock.now())
        return self.caller_of(user)

    async def make_group(self, name: str, *members: str) -> None:
        """Create a group with users in it."""
        async with self.ctx.store.write() as tx:
            group = await tx.groups.create(name)
            await tx.groups.add(group.id, [user.id for user in await tx.users.named(members)])

    def caller_of(self, user: User, *scopes: str) -> Caller:
        """Return a user as a caller; with `scopes`, one who may do nothing else."""
        return a_caller(user, expand(scopes, user.name) if scopes else None)

    async def find(self, name: str) -> Caller:
        """Return a user as a caller with all their rights; raise LookupError when there is none."""
        async with self.ctx.store.read() as tx:
            user = await tx.users.get(name)
        if user is None:
            raise LookupError(f"There is no {name}")
        return self.caller_of(user)

    async def token_of(self, user: User, *scopes: str, **details: Any) -> str:
        """Return the secret of a new token of a user, with all their rights or with `scopes`."""
        secret = new_token()
        async with self.ctx.store.write() as tx:
            record = new_record(user, secret, scopes or ("inherit",), now=self.clock.now(), **details)
            await tx.tokens.add(record)
        return secret

    # Servers

    async def ask_start(self, name: str = "ada", options: Mapping[str, Any] | None = None) -> Server:
        """Ask for a user's server as its owner and return the row as it is then."""
        return await ask_to_start(self.ctx, await self.find(name), name, options=options)

    async def ask_stop(self, name: str = "ada") -> Server | None:
        """Ask for a user's server to end."""
        return await ask_to_stop(self.ctx, await self.find(name), name)

    async def start(self, name: str = "ada") -> Server:
        """Start a user's server and return the row once all that needs no time has been done."""
        await self.ask_start(name)
        await self.clock.settle()
        return await self.server(name)

    async def stop(self, name: str = "ada") -> Server:
        """Stop a user's server and return the row once all that needs no time has been done."""
        await self.ask_stop(name)
        await self.clock.settle()
        return await self.server(name)

    async def server(self, name: str = "ada") -> Server:
        """Return the row of a user's server; raise LookupError when there is none."""
        async with self._read() as tx:
            user = await tx.users.get(name)
            found: Server | None = None if user is None else await tx.servers.get(user.id, "")
        if found is None:
            raise LookupError(f"{name} has no server")
        return found

    async def reload(self, server: Server) -> Server | None:
        """Return a row as it is now."""
        return await reload_server(self.ctx, server.id)

    def is_dead(self) -> bool:
        """Tell whether the hub process was killed and not replaced."""
        return self._lives[-1].over

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Any]:
        """Look into the database past a hub that is dead."""
        if self._database is None:
            raise LookupError("The hub is closed")
        async with self._database.read() as tx:
            yield tx

    def _publish(self, event: Event) -> None:
        """Publish on the present process's bus: the database outlives each of them."""
        self._bus.publish(event)

    async def _close_database(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            await database.close()

    async def _build(self) -> HubContext:
        bus, callers = Bus(), CallerCache()
        self._bus = bus
        bus.listen(callers.heed)
        wanted = self.settings.authenticator_class
        kind = wanted if isinstance(wanted, type) else DummyAuthenticator
        authenticator = kind(config=self.settings.plugins)
        base_url = self.settings.base_url
        rights, _ = read_rights(self.settings)
        profiles, named = self._profiles(kind)
        ctx = HubContext(
            settings=self.settings,
            store=self.store,
            bus=bus,
            progress=ProgressLog(bus),
            clock=self.clock,
            authenticator=authenticator,
            spawners=SpawnerClasses(self.spawner_class, named),
            profiles=profiles,
            proxy=self.proxy,
            hub=HubView(
                f"http://hub{base_url}hub/api", f"{base_url}hub/", hub_id=await load_hub_id(self.store)
            ),
            callers=callers,
            activity=Activity(self.settings.activity_resolution),
            catalog=rights.catalog,
            chance=random.Random(0).random,  # noqa: S311 - the same in every run
        )
        await load_named_users(self.store, authenticator, self.clock)
        await load_rights(self.store, authenticator, self.clock, rights)
        services = read_services(self.settings)[0]
        await load_services(self.store, authenticator, self.clock, ctx.hosts, (rights, services))
        await load_clients(self.store, read_clients(self.settings)[0])
        return ctx

    def _profiles(self, authenticator: type[Authenticator]) -> tuple[ProfileSource, list[type[Spawner]]]:
        """Return the profiles of the section `Profiles` and the classes that they name, which are classes."""
        named = list(self.further)

        def find(wanted: object) -> type[Spawner]:
            cls = wanted if isinstance(wanted, type) else self.spawner_class
            named.append(cls)
            return cls

        chosen = Chosen(self.settings, authenticator, self.spawner_class, type(self.proxy))
        source, problems = read_source(self.settings, chosen, find)
        if any(problem.fatal for problem in problems):
            raise BadConfig(problems)
        return source, named


@asynccontextmanager
async def open_test_hub(
    directory: Path | None = None,
    *,
    work: bool = True,
    plugins: Mapping[str, Mapping[str, Any]] | None = None,
    spawner_class: type[Spawner] | None = None,
    **settings: Any,
) -> AsyncIterator[TrialHub]:
    """Yield a running hub; with a `directory` its database is a file there.

    `plugins` are sections of the configuration for traitlets classes (`{"Spawner": {"start_timeout": 5}}`),
    `settings` the hub's own. Servers are fakes, unless there is a `spawner_class`. Without `work` nobody
    looks after servers and routes.
    """
    if directory is not None:
        settings |= {"directory": directory, "db_url": "sqlite:///hub.sqlite"}
    clock = FakeClock()
    hub = TrialHub(some_settings(plugins, **settings), clock, spawner_class)
    with clock.drive():
        await hub.boot(work=work)
        try:
            yield hub
        finally:
            await hub.close()
