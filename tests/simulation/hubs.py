"""Hub processes: the real store, bus, core, reconciler and route keeper, started again whenever they end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.app.lifespan import run_workers
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.config.schema import Settings
from carrel.core.activity import Activity
from carrel.core.bootstrap import load_hub_id
from carrel.core.cache import CallerCache
from carrel.core.context import HubContext
from carrel.core.peers import Peers
from carrel.domain.hubs import owner_name
from carrel.events.bus import Bus
from carrel.events.progress import ProgressLog
from carrel.lib.clock import Timestamp
from carrel.proxy.base import ProxyError
from carrel.spawners.classes import SpawnerClasses
from carrel.storage.base import StorageError
from carrel.storage.sql.engine import Statements
from carrel.testing.factories import some_settings
from carrel.testing.simloop import Owner
from tests.simulation.database import Hand, SimStore
from tests.simulation.machine import (
    BoundQueueSpawner,
    BoundSpawner,
    Machine,
    QueueSpawner,
    SimHubView,
    SimSpawner,
)
from tests.simulation.plane import Plane, SimProxy
from tests.simulation.watch import Watcher
from tests.simulation.wire import Wire
from tests.simulation.world import EPOCH, Line, Refused, World

#: Time-outs short enough that a run of some minutes meets all of them, and longer than a lease.
TIMES: dict[str, dict[str, Any]] = {
    "Spawner": {"start_timeout": 25, "http_timeout": 8, "poll_interval": 6, "queue_timeout": 0}
}
#: By whether they see one machine alone, and whether it has a queue.
_DRIVERS = {
    (False, False): SimSpawner,
    (False, True): QueueSpawner,
    (True, False): BoundSpawner,
    (True, True): BoundQueueSpawner,
}
#: By how many starts run at once: one that is never counted out stops all the others, where that is one.
LIMITS = (1, 2, 100)


def settings_with(limit: int, devices: int) -> Settings:
    """Return the settings of all hubs of a run: with `devices` every server needs one of so many."""
    times = TIMES["Spawner"] | ({"devices": {"gpu": 1}} if devices else {})
    return some_settings(
        {"Spawner": times},
        concurrent_spawn_limit=limit,
        allow_named_servers=True,
        named_server_limit_per_user=1,
        # Logs are files, and a thread bounds them: neither is simulated.
        server_log_size=0,
        device_pools={"gpu": devices} if devices else {},
    )


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


class SimProbe:
    """A look at a server from one hub."""

    def __init__(self, machine: Machine, line: Line) -> None:
        self._machine = machine
        self._line = line

    async def __call__(self, url: str) -> bool:
        """Tell whether it answers."""
        try:
            return await self._line.call("probe", lambda _call: self._machine.answers(url))
        except Refused:
            return False

    async def examine(self, url: str, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return nothing: why a server does not answer is for people, and changes no row's life."""
        await self(url)
        return {}


@dataclass(frozen=True, slots=True)
class Scene:
    """What hubs stand in."""

    world: World
    machine: Machine
    plane: Plane
    wire: Wire
    watcher: Watcher
    path: Path
    statements: Statements
    settings: Settings


class Host:
    """One host, on which a service manager runs hub after hub."""

    def __init__(self, scene: Scene, number: int) -> None:
        self.scene = scene
        self.number = number
        self.node = f"node{number % scene.world.plan.profile.nodes}"
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
        owner = Owner(owner_name(self.node, self.number, str(len(self.owners) + 1)))
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
        scene, bus = self.scene, Bus()
        single = scene.world.plan.profile.hubs == 1
        wire = None if single else scene.wire
        hand = Hand(scene.world, owner, self.number, wire, scene.watcher.committed)
        store = SimStore(scene.path, self.clock, hand, scene.statements, bus.publish, single=single)
        await store.open(claim=False)
        try:
            line = Line(scene.world, owner, self.number)
            ctx = await self._build(store, bus, line)
            async with run_workers(ctx, run_services=False, probe=SimProbe(scene.machine, line)):
                self.ctx = ctx
                await asyncio.get_running_loop().create_future()
        finally:
            self.ctx = None
            await store.close()

    async def _build(self, store: SimStore, bus: Bus, line: Line) -> HubContext:
        scene, settings, bound = self.scene, self.scene.settings, self.scene.world.plan.profile.nodes > 1
        callers = CallerCache(None if store.single_hub else self.clock.monotonic)
        bus.listen(callers.heed)
        url = f"http://{self.name}"
        hub = SimHubView("http://hub/hub/api", "/hub/", hub_id=await load_hub_id(store))
        hub.line, hub.machine, hub.node = line, scene.machine, self.node if bound else ""
        return HubContext(
            settings=settings,
            store=store,
            bus=bus,
            progress=ProgressLog(bus),
            clock=self.clock,
            authenticator=DummyAuthenticator(config=settings.plugins),
            spawners=SpawnerClasses(_DRIVERS[bound, scene.world.plan.profile.queues]),
            proxy=SimProxy(
                scene.plane,
                line,
                public_url="http://hub.test/",
                hub_url=url,
                should_start=store.single_hub,
            ),
            hub=hub,
            callers=callers,
            activity=Activity(settings.activity_resolution),
            peers=Peers(self.owner.name, self.node, url),
            chance=scene.world.draw(f"chance:{self.number}").random,
        )
