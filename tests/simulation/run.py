"""One run: the stage is set, the plan is played, and everything must come to rest."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from carrel.app import lifespan
from carrel.domain.events import RouteMissing
from carrel.storage.sql.engine import Statements
from carrel.testing.simloop import SimEscape, SimLoop, SimStuck, sealed
from tests.simulation.database import Template, user_name
from tests.simulation.hubs import LIMITS, Host, Scene, settings_with
from tests.simulation.machine import Machine
from tests.simulation.people import People
from tests.simulation.plan import TROUBLE, Item, Plan
from tests.simulation.plane import Plane
from tests.simulation.planted import planted
from tests.simulation.watch import Watcher
from tests.simulation.wire import Wire
from tests.simulation.world import Violation, World

_LOOK_EVERY = 5.0
_GLANCE_EVERY = 1.5
#: How long after the last failure every hub runs again, in seconds.
_BOOTED = 8.0
#: When everything must have come to rest at the latest, in virtual seconds.
_END = 400.0
#: When the last failure's consequences for time-outs are over: from then on deadlines must be kept.
_ON_TIME = TROUBLE + 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. Two runs of one plan have the same outcome, digest included."""

    plan: Plan
    violation: Violation | None
    digest: str
    seconds: float
    """Virtual ones."""
    steps: int
    trace: tuple[str, ...] = ()


def play(plan: Plan, template: Template, *, keeps_trace: bool = False) -> Outcome:
    """Run a plan and return what came of it."""
    loop = SimLoop(plan.seed, permuted=plan.profile.permuted)
    with ExitStack() as stack:
        stack.callback(loop.close)
        path = stack.enter_context(template.copy())
        stack.enter_context(planted(plan.planted))
        world = World(loop, plan, keeps_trace)
        stack.enter_context(_logs_in(world))
        # The hub only logs it when one of its workers ends, for want of anything better.
        stack.enter_context(mock.patch.object(lifespan, "_complain", world.judge_worker))
        stack.enter_context(sealed(loop, plan.seed))
        stage = Stage(world, path, template.statements)
        stack.callback(stage.close)
        stage.set_up()
        try:
            loop.run_until_complete(world.over)
        except (SimStuck, SimEscape) as error:
            world.fail(type(error).__name__, str(error))
        if loop.errors:
            world.fail("error", "; ".join(loop.errors))
        digest = f"{world.checksum:08x}-{loop.steps}-{random.random():.6f}"
        return Outcome(plan, world.violation, digest, loop.time(), loop.steps, tuple(world.trace))


class Stage:
    """Hosts, machine, data plane and people of one run, and the look at whether they have come to rest."""

    def __init__(self, world: World, path: Path, statements: Statements) -> None:
        self._world = world
        self._machine = Machine(world)
        self._plane = Plane(world)
        self._wire = Wire(world)
        self._watcher = Watcher(world, self._machine, self._plane, path)
        settings = settings_with(world.draw("settings").choice(LIMITS), self._watcher.devices)
        scene = Scene(
            world, self._machine, self._plane, self._wire, self._watcher, path, statements, settings
        )
        self._hosts = [Host(scene, number) for number in range(world.plan.profile.hubs)]
        self._people = People(world, self._hosts)
        self._events: dict[str, Callable[[Host, Item], None]] = {
            "wish": lambda host, item: self._people.wish(host, item.op, item.server),
            "kill": lambda host, _item: host.kill(),
            "term": lambda host, _item: host.terminate(),
            "pause": lambda host, item: world.loop.pause(host.owner, item.value),
            "jump": self._jump,
            "cut": lambda host, _item: self._wire.cut(host.number),
            "apart": self._part,
            "nudge": self._nudge,
            "repair": lambda host, _item: self._people.repair(host),
            "exit": lambda _host, item: self._exit(item.server),
            "outage": lambda _host, item: world.fall_out(item.op, item.value),
            "plane": lambda _host, _item: self._plane.restart(),
        }
        self._asked_again = False
        self._looks_at_rest = 0

    def set_up(self) -> None:
        """Let everything begin."""
        world = self._world
        for host in self._hosts:
            self._watcher.clocks.append(host.clock.now)
            world.loop.outside(0, host.boot)
        for item in world.plan.items:
            if not item.nth:
                world.loop.outside(item.at, self._do, item)
        world.loop.outside(TROUBLE, self._calm)
        world.loop.outside(0, self._glance)
        world.loop.outside(TROUBLE + _LOOK_EVERY, self._look)

    def close(self) -> None:
        """Let everything end, whatever state it is in."""
        self._world.loop.bury([owner for host in self._hosts for owner in host.owners])
        self._watcher.close()

    def _do(self, item: Item) -> None:
        host = self._hosts[item.hub]
        if item.kind != "wish":
            self._world.note("world", f"FAULT {item.text()}")
        self._events[item.kind](host, item)

    def _jump(self, host: Host, item: Item) -> None:
        host.clock.skew = item.value

    def _part(self, host: Host, item: Item) -> None:
        self._world.fall_out(f"database for {host.number}", item.value)
        self._wire.cut(host.number)

    def _nudge(self, host: Host, item: Item) -> None:
        if host.ctx is not None:
            host.ctx.bus.publish(RouteMissing(user_name(self._world.plan.profile.owner(item.server)), ""))

    def _calm(self) -> None:
        """End the failures: nobody dies any more, and clocks are set."""
        for host in self._hosts:
            host.owner.dies_at = None
            host.clock.skew = 0.0

    def _exit(self, server: int) -> None:
        row = self._watcher.row(server)
        for process in self._machine.alive():
            if row is not None and process.key == (row.id, row.generation):
                self._machine.end(process, hard=True)

    def _glance(self) -> None:
        self._watcher.check_unrouted()
        self._world.loop.outside(_GLANCE_EVERY, self._glance)

    def _look(self) -> None:
        """End the run once it is at rest, has started everything once more, and is at rest again."""
        world = self._world
        if world.over.done():
            return
        unrest = self._unrest()
        self._looks_at_rest = 0 if unrest else self._looks_at_rest + 1
        if world.loop.time() > _ON_TIME:
            self._watcher.check_overdue()
        paused = max(host.owner.paused_until for host in self._hosts)
        living = [host.owner.name for host in self._hosts if not host.owner.dead]
        self._watcher.check_taken_over(max(TROUBLE + _BOOTED, paused), living)
        if unrest and world.loop.time() > _END:
            world.fail(*unrest[0])
        elif unrest and self._asked_again:
            self._insist()
        elif self._looks_at_rest == 2:
            self._looks_at_rest = 0
            if self._asked_again:
                world.end()
                return
            self._ask_again()
        world.loop.outside(_LOOK_EVERY, self._look)

    def _ask_again(self) -> None:
        self._asked_again = True
        for server in range(self._world.plan.profile.servers):
            self._ask(server)

    def _ask(self, server: int) -> None:
        self._people.wish(self._hosts[server % len(self._hosts)], "start", server)

    def _insist(self) -> None:
        """Ask once more where the answer was an error, or that too much has failed lately."""
        for server in range(self._world.plan.profile.servers):
            row = self._watcher.row(server)
            refused = row is not None and row.wanted_generation == row.generation and row.failure
            if (refused and "circuit-open" in refused) or self._people.is_unanswered(server):
                self._ask(server)

    def _unrest(self) -> list[tuple[str, str]]:
        found = self._watcher.unrest()
        waits = [self._watcher.row(server) for server in range(self._world.plan.profile.servers)]
        rightly = {server for server, row in enumerate(waits) if row and self._watcher.waits_rightly(row)}
        found += [
            ("waits_for_ever", name) for server, name in self._people.waiting() if server not in rightly
        ]
        for server, row in enumerate(waits):
            wanted, allowed = "deleted" if row is None else row.wanted, self._people.allowed(server)
            if wanted not in allowed:
                found.append(
                    ("lost_wish", f"server of user{server}: {wanted}, but people asked for {sorted(allowed)}")
                )
            runs = row is not None and row.actual == "running"
            if self._asked_again and not runs and server not in rightly:
                found.append(("does_not_start", f"user{server}: {row}"))
        return found


@contextmanager
def _logs_in(world: World) -> Iterator[None]:
    """Put what the hub logs into the trace, when anybody is going to read it."""
    if not world.keeps_trace:
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
        return
    handler = _Notes(world)
    logger = logging.getLogger("carrel")
    level, logger.propagate = logger.level, False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True


class _Notes(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = (
            f"{self._world.loop.time():9.3f} log     {record.getMessage()}{f' <- {error!r}' if error else ''}"
        )
        self._world.trace.append(text)
