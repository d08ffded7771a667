"""Hub processes: the real store, bus, core, reconciler and route keeper, started again whenever they end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.config.schema import Settings
from carrel.core.activity import Activity
from carrel.core.bootstrap import load_hub_id
from carrel.core.cache import CallerCache
from carrel.core.context import HubContext
from carrel.events.bus import Bus
from carrel.events.progress import ProgressLog
from carrel.lib.clock import Timestamp
from carrel.lifecycle.reconciler import Reconciler
from carrel.lifecycle.routes import RouteKeeper
from carrel.proxy.base import ProxyError
from carrel.storage.base import StorageError
from carrel.storage.sql.engine import Statements
from carrel.testing.factories import some_settings
from carrel.testing.simloop import Owner
from tests.simulation.database import Hand, SimStore
from tests.simulation.machine import Machine, SimHubView, SimSpawner
from tests.simulation.orphans import sweep_orphans
from tests.simulation.plane import Plane, SimProxy
from tests.simulation.watch import Watcher
from tests.simulation.world import EPOCH, Line, Refused, World

#: Time-outs short enough that a run of some minutes meets all of them.
SETTINGS = some_settings({"Spawner": {"start_timeout": 8, "http_timeout": 6, "poll_interval": 6}})


class SimClock:
    """The clock of one host: wall time may jump."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.skew = 0.0

    def now(self) -> Timestamp:
        """Return wall time."""
        return EPOCH + self._world.loop.time() + self.skew

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self._world.loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Scene:
    """What hubs stand in."""

    world: World
    machine: Machine
    plane: Plane
    watcher: Watcher
    path: Path
    statements: Statements


class Host:
    """One host, on which a service manager runs hub after hub."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene = scene
        self.number = number
        self.clock = SimClock(scene.world)
        self.owners: list[Owner] = []
        self.ctx: HubContext | None = None
        """The parts of the hub that runs and is up."""
        self._steps = 0
        self._main: asyncio.Task[None] | None = None
        self._deaths = sorted(
            item.nth
            for item in scene.world.plan.items
            if (item.kind, item.op, item.hub) == ("kill", "step", number)
        )

    @property
    def name(self) -> str:
        return f"hub{self.number}"

    @property
    def owner(self) -> Owner:
        """The process that runs now, or did last."""
        return self.owners[-1]

    def boot(self) -> None:
        """Start a hub process."""
        world = self.scene.world
        self._steps += self.owners[-1].steps if self.owners else 0
        owner = Owner(f"{self.name}.{len(self.owners) + 1}")
        later = [step - self._steps for step in self._deaths if step > self._steps]
        owner.dies_at = later[0] if later and not world.calm else None
        owner.at_death.append(self._died)
        self.owners.append(owner)
        world.note(self.name, f"boots as {owner.name}")
        self._main = world.loop.run_as(owner, self._run(owner))
        self._main.add_done_callback(self._ended, context=world.loop.outside_context)

    def kill(self) -> None:
        """End the process as kill -9 does."""
        self.scene.world.loop.kill(self.owner)

    def terminate(self) -> None:
        """End the process in its own time."""
        if self._main is not None and not self.owner.dead:
            self.scene.world.note(self.name, "is asked to end")
            self._main.cancel()

    def _died(self) -> None:
        self.ctx = None
        self.scene.world.note(self.name, f"dies at its step {self.owner.steps}")
        self._boot_later()

    def _ended(self, main: asyncio.Task[None]) -> None:
        """Judge the end of a process that ended by itself."""
        error = None if main.cancelled() else main.exception()
        if error is not None and not isinstance(error, StorageError | ProxyError):
            self.scene.world.fail("hub_ended", repr(error))
        if not self.owner.dead:
            self.scene.world.loop.kill(self.owner)

    def _boot_later(self) -> None:
        delay = 0.3 + 6 * self.scene.world.draw(f"boot:{self.number}").random() ** 2
        self.scene.world.loop.outside(delay, self.boot)

    async def _run(self, owner: Owner) -> None:
        scene = self.scene
        hand = Hand(scene.world, owner, self.number, scene.watcher.committed)
        single = scene.world.plan.profile.hubs == 1
        store = SimStore(scene.path, self.clock, hand, scene.statements, single=single)
        await store.open(claim=False)
        try:
            line = Line(scene.world, owner, self.number)
            await self._work(await self._build(store, line), line, owner)
        finally:
            self.ctx = None
            await store.close()

    async def _work(self, ctx: HubContext, line: Line, owner: Owner) -> None:
        async def probe(url: str) -> bool:
            try:
                return await line.call("probe", lambda _call: scene.machine.answers(url))
            except Refused:
                return False

        scene = self.scene
        routes = RouteKeeper(ctx)
        reconciler = Reconciler(ctx, probe, routes, owner=owner.name)
        await ctx.proxy.start()
        await routes.sync()
        ctx.bus.listen(reconciler.heed)
        ctx.bus.listen(routes.heed)
        self.ctx = ctx
        async with asyncio.TaskGroup() as work:
            work.create_task(reconciler.run())
            work.create_task(routes.run())
            work.create_task(sweep_orphans(ctx))

    async def _build(self, store: SimStore, line: Line) -> HubContext:
        bus, callers = Bus(), CallerCache()
        bus.listen(callers.heed)
        settings: Settings = SETTINGS
        return HubContext(
            settings=settings,
            store=store,
            bus=bus,
            progress=ProgressLog(bus),
            clock=self.clock,
            authenticator=DummyAuthenticator(config=settings.plugins),
            spawner_class=SimSpawner,
            proxy=SimProxy(
                self.scene.plane, line, public_url="http://hub.test/", hub_url="http://hub.invalid"
            ),
            hub=SimHubView(
                "http://hub/hub/api",
                "/hub/",
                hub_id=await load_hub_id(store),
                line=line,
                machine=self.scene.machine,
            ),
            callers=callers,
            activity=Activity(settings.activity_resolution),
        )
