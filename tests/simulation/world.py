"""What all parts of a run share: its loop, its randomness, the failures that are due, and its trace."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from carrel.testing.simloop import Owner, SimLoop
from tests.simulation.plan import TROUBLE, Item, Plan

T = TypeVar("T")

#: The virtual moment of the run's begin as the hubs' clocks have it.
EPOCH = 1_800_000_000.0
#: How long a client of the data plane waits for it, in seconds.
PATIENCE = 5.0
#: What answers an operation that goes out of the hub; the machine does the rest.
_SERVED_BY = {"route": "data plane", "table": "data plane"}


class Refused(Exception):
    """What a request to the outside comes back with when it fails."""


class Gone(BaseException):
    """A dead hub asked for something: only while it is buried."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What must not be, and was."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(eq=False)
class World:
    """The stage of one run."""

    loop: SimLoop
    plan: Plan
    keeps_trace: bool = False
    trace: list[str] = field(default_factory=list)
    checksum: int = 0
    violation: Violation | None = None
    over: asyncio.Future[None] = field(init=False)
    """Done when there is nothing left to find out."""

    def __post_init__(self) -> None:
        self.over = self.loop.create_future()
        self._draws: dict[str, random.Random] = {}
        #: How long a slow statement of the database takes, in seconds: races are wider on a slow one.
        self.query_time = self.draw("database's kind").choice((0.004, 0.004, 0.05))
        self._out_until: dict[str, float] = {}
        self._counts: dict[tuple[int, str], int] = {}
        self._due: dict[tuple[int, str, int], list[Item]] = {}
        for item in self.plan.items:
            if item.nth:
                self._due.setdefault((item.hub, item.op, item.nth), []).append(item)

    def draw(self, purpose: str) -> random.Random:
        """Return the randomness of one purpose: what others draw does not move it."""
        found = self._draws.get(purpose)
        if found is None:
            found = self._draws[purpose] = random.Random(f"{self.plan.seed}:{purpose}")
        return found

    def note(self, who: str, what: str) -> None:
        """Write a line of the trace; runs are compared by its checksum."""
        line = f"{self.loop.time():9.3f} {who:7} {what}"
        self.checksum = zlib.crc32(line.encode(), self.checksum)
        if self.keeps_trace:
            self.trace.append(line)

    def fail(self, kind: str, text: str) -> None:
        """End the run: something is that must not be. The first such thing counts."""
        if self.violation is None:
            self.violation = Violation(kind, text)
            self.note("CHECK", f"{kind}: {text}")
            self.end()

    def judge_worker(self, task: asyncio.Task[None]) -> None:
        """A hub's worker has ended; none does before its hub."""
        if not task.cancelled() and task.exception() is not None:
            self.fail("worker_ended", f"{task.get_name()}: {task.exception()!r}")

    def end(self) -> None:
        """End the run."""
        if not self.over.done():
            self.over.set_result(None)

    def due(self, hub: int, op: str) -> list[Item]:
        """Count an operation of a hub and return what is to happen to it; nothing does when it is calm."""
        if self.calm:
            return []
        key = (hub, op)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        found = self._due.get((hub, op, count), [])
        for item in found:
            self.note(f"hub{hub}", f"FAULT {item.text()}")
        return found

    def fall_out(self, what: str, seconds: float) -> None:
        """Let nothing of a kind work for a while."""
        self._out_until[what] = self.loop.time() + seconds

    def is_out(self, what: str) -> bool:
        """Tell whether something does not work now."""
        return not self.calm and self._out_until.get(what, 0.0) > self.loop.time()

    @property
    def calm(self) -> bool:
        """Whether the time of failures is over."""
        return self.loop.time() > TROUBLE

    def latency(self, draw: random.Random, scale: float) -> float:
        """Return seconds that something takes: mostly little, now and then fifty times as much."""
        if not self.plan.profile.noisy:
            return scale / 2
        return scale * (draw.random() if draw.random() < 0.95 else 50 * draw.random() ** 2)


class Call(Generic[T]):
    """One request that a hub has sent out."""

    def __init__(self, owner: Owner, answer: asyncio.Future[T]) -> None:
        self._owner = owner
        self._answer = answer

    @property
    def awaited(self) -> bool:
        """Whether anybody still waits for the answer."""
        return not self._owner.dead and not self._answer.done()


class Line:
    """The way from one hub process to what is outside: requests travel, are done, and answers travel back."""

    def __init__(self, world: World, owner: Owner, hub: int) -> None:
        self.world = world
        self.owner = owner
        self.hub = hub

    async def call(self, op: str, effect: Callable[[Call[T]], T], lie: Callable[[], T] | None = None) -> T:
        """Return what `effect` does out there; raise Refused when it fails or the answer is lost.

        It is done even when nobody waits for it any more.
        """
        if self.owner.dead:
            raise Gone
        world = self.world
        draw = world.draw(f"call:{self.hub}")
        there, back = world.latency(draw, 0.02), world.latency(draw, 0.02)
        answer: asyncio.Future[T] = world.loop.create_future()
        call = Call(self.owner, answer)
        faults = {item.kind: item for item in world.due(self.hub, op)}
        if "fail" in faults or world.is_out(_SERVED_BY.get(op, "machine")):
            world.loop.outside(there + back, _answer, call, answer, None, Refused(f"{op} was refused"))
            return await answer
        late = sum(item.value for item in faults.values())

        def land() -> None:
            result, error = None, None
            try:
                result = lie() if lie is not None and "lie" in faults else effect(call)
            except Refused as refused:
                error = refused
            if "kill" in faults:
                world.loop.kill(self.owner)
            if "hang" in faults and "deaf" not in faults:
                return
            if "lost" in faults:
                result, error = None, Refused(f"no answer to {op}")
            world.loop.outside(back, _answer, call, answer, result, error)

        world.loop.outside(there + late, land)
        return await (_deaf(answer) if "deaf" in faults else answer)


async def _deaf(answer: asyncio.Future[T]) -> T:
    """Wait for an answer whatever anybody says, as a driver does that catches too much."""
    while True:
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if answer.done():
                raise


def _answer(call: Call[T], answer: asyncio.Future[T], result: T, error: Exception | None) -> None:
    if not call.awaited:
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
