"""The machine on which servers run, and the driver through which hubs use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from traitlets import Unicode

from carrel.spawners.base import Spawner
from carrel.spawners.reports import Orphan, Waiting
from carrel.spawners.views import HubView
from carrel.testing.simloop import Owner
from tests.simulation.world import Call, Line, Refused, World

RunKey = tuple[int, int]
"""Server id and generation."""
_NEVER = 1e9
_IP = "10.0.0.1"
#: How long the driver waits for the end of a process before it kills it, in seconds.
_TERM_LIMIT = 8.0


@dataclass(eq=False, slots=True)
class Process:
    """One server's process; it carries whose it is, as a real one does in its environment."""

    handle: str
    hub_id: str
    server_id: int
    generation: int
    answers_at: float
    ends_at: float
    node: str
    """The machine it is on, where that matters; empty for a driver that reaches all of them."""
    grace: float
    """Seconds from being asked to end until it does."""
    turn_at: float = 0.0
    """When it leaves the queue of the machine."""
    known: bool = False
    """The hub has kept its checkpoint."""
    stray: str = ""
    """Why no hub could know of it: only a sweep over the machine finds it."""

    @property
    def key(self) -> RunKey:
        return self.server_id, self.generation

    @property
    def url(self) -> str:
        return f"http://{_IP}:{_port(self.handle)}"


class Machine:
    """All processes. `asked`, `born` and `struck` are told of each start, birth and order to end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._draw = world.draw("machine")
        self.processes: dict[str, Process] = {}
        self.asked: Callable[[RunKey, Owner], None] = lambda key, owner: None
        self.born: Callable[[Process, bool], None] = lambda process, awaited: None
        self.struck: Callable[[Process], None] = lambda process: None
        #: Drivers of some back ends can list what runs; of others the hub knows what its checkpoints say.
        self.lists = world.draw("machine's kind").random() < 0.7

    def hook_time(self) -> float:
        """Return how long a hook before a start takes, in seconds: now and then as long as a lease."""
        slow = not self._world.calm and self._draw.random() < 0.15
        return self._draw.random() * 15 if slow else 0.0

    def alive(self) -> list[Process]:
        """Return what lives now."""
        now = self._world.loop.time()
        return [process for process in self.processes.values() if process.ends_at > now]

    def lives(self, handle: str, node: str) -> bool:
        """Tell whether a process lives, as far as can be seen on a node."""
        process = self.processes.get(handle)
        return process is not None and process.node == node and process.ends_at > self._world.loop.time()

    def spawn(self, call: Call[str], hub_id: str, key: RunKey, node: str) -> str:
        """Start a process and return its handle."""
        draw, now = self._draw, self._world.loop.time()
        slow = not self._world.calm and draw.random() < 0.1
        turn = now + self._wait_in_queue()
        process = Process(
            f"p{len(self.processes) + 1}",
            hub_id,
            *key,
            answers_at=turn + draw.random() * (20 if slow else 2),
            ends_at=_NEVER,
            node=node,
            turn_at=turn,
            grace=_NEVER if draw.random() < 0.1 else 3 * draw.random(),
        )
        self.processes[process.handle] = process
        self._world.note("machine", f"+ {process.handle} for server {key[0]} run {key[1]}")
        self.born(process, call.awaited)
        return process.handle

    def end(self, process: Process, *, hard: bool, call: Call[Any] | None = None) -> None:
        """Let a process end: by itself, or on somebody's order."""
        handle = process.handle
        self._world.note("machine", f"- {handle} ({'killed' if hard else 'asked to end'})")
        if call is not None and call.awaited:
            self.struck(process)
        process.ends_at = min(process.ends_at, self._world.loop.time() + (0.05 if hard else process.grace))

    def _wait_in_queue(self) -> float:
        """Return how long a start waits for its turn, in seconds: now and then longer than one may take."""
        if not self._world.plan.profile.queues:
            return 0.0
        return 60 * self._world.draw("queue").random() ** 2

    def waits(self, handle: str) -> bool:
        """Tell whether a process waits in the queue."""
        process = self.processes.get(handle)
        return process is not None and process.turn_at > self._world.loop.time()

    def address(self, handle: str, node: str) -> str:
        """Return where a process will answer, nothing while it waits in the queue."""
        if not self.lives(handle, node):
            raise Refused(f"{handle} has ended")
        return "" if self.waits(handle) else self.processes[handle].url

    def answers(self, url: str) -> bool:
        """Tell whether something answers there."""
        now = self._world.loop.time()
        return any(url.startswith(f"{each.url}/") and each.answers_at <= now for each in self.alive())

    def listing(self, hub_id: str, known: Collection[RunKey], node: str) -> list[Orphan]:
        """Return what runs of a hub's, as far as this kind of machine can say."""
        here = [each for each in self.alive() if each.node == node]
        mine = [each for each in here if each.hub_id == hub_id and each.key not in known]
        return [Orphan(*each.key, {"handle": each.handle}) for each in mine] if self.lists else []


@dataclass(slots=True)
class SimHubView(HubView):
    """What the driver sees of the hub, and the hub's ways out."""

    line: Any = None
    machine: Any = None
    node: str = ""
    """The only one whose processes the driver sees; empty for all."""


class SimSpawner(Spawner):
    """A driver of a remote machine: each request travels, and may be the one that fails."""

    handle = Unicode()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint."""
        super().load_state(state)
        self.handle = str(state.get("handle", ""))
        if self.handle:
            self.server.ip, self.server.port = _IP, _port(self.handle)

    def get_state(self) -> dict[str, Any]:
        """Return the checkpoint."""
        return super().get_state() | ({"handle": self.handle} if self.handle else {})

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.handle = ""

    async def run_pre_spawn_hook(self) -> None:
        """Do what the deployer wants done first, which takes its time."""
        await asyncio.sleep(self._machine.hook_time())
        await self._line.call("hook", lambda _call: None)

    async def rename(self, old_name: str, new_name: str) -> None:
        """Move what goes by the name, which takes its time."""
        await self._line.call("hook", lambda _call: None)

    async def start(self) -> str:
        """Start a process, keep its handle, and wait until the machine says where it will answer."""
        key = (self.server_id, self.generation)
        self._machine.asked(key, self._line.owner)
        self.handle = await self._line.call(
            "spawn", lambda call: self._machine.spawn(call, self.hub.hub_id, key, self._node)
        )
        await self.save_state()
        self._machine.processes[self.handle].known = True
        return await self._boot()

    async def _boot(self) -> str:
        while not (
            url := await self._line.call("boot", lambda _: self._machine.address(self.handle, self._node))
        ):
            await asyncio.sleep(1.0)
        return url

    async def poll(self) -> int | None:
        """Ask the machine."""
        return await self._look("poll") if self.handle else 0

    async def stop(self, now: bool = False) -> None:
        """Ask the process to end, and kill it when it does not; return when it is gone."""
        if not self.handle:
            return
        handle, hard = self.handle, now
        waited = 0.0
        await self._line.call("stop", lambda call: self._end(handle, hard, call))
        while await self._look("gone") is None:
            await asyncio.sleep(0.5)
            waited += 0.5
            if waited >= _TERM_LIMIT and not hard:
                hard = True
                await self._line.call("stop", lambda call: self._end(handle, True, call))

    async def find_orphans(self, known: Collection[RunKey]) -> list[Orphan]:
        """Return what runs besides `known`."""
        mine = self.hub.hub_id
        return await self._line.call("find", lambda _call: self._machine.listing(mine, known, self._node))

    def _end(self, handle: str, hard: bool, call: Call[Any]) -> None:
        if self._machine.lives(handle, self._node):
            self._machine.end(self._machine.processes[handle], hard=hard, call=call)

    async def _look(self, op: str) -> int | None:
        handle = self.handle

        def lie() -> int:
            if self._machine.lives(handle, self._node):
                self._machine.processes[handle].stray = "its driver called it dead"
            return 1

        return await self._line.call(
            op, lambda _call: None if self._machine.lives(handle, self._node) else 0, lie=lie
        )

    @property
    def _line(self) -> Line:
        line: Line = self.hub.line
        return line

    @property
    def _machine(self) -> Machine:
        machine: Machine = self.hub.machine
        return machine

    @property
    def _node(self) -> str:
        node: str = self.hub.node
        return node


class QueueSpawner(SimSpawner):
    """A driver of a machine with a queue, which goes on with starts that were cut off."""

    async def waiting(self) -> Waiting | None:
        """Ask the machine."""
        handle = self.handle
        waits = await self._line.call("queue", lambda _call: self._machine.waits(handle))
        return Waiting() if waits else None

    async def resume_start(self) -> str | None:
        """Wait on, until the machine says where it will answer."""
        return await self._boot() if self.handle else None


class BoundSpawner(SimSpawner):
    """A driver of processes of its own machine alone; what runs on another looks dead to it."""

    bound_to_node = True


class BoundQueueSpawner(QueueSpawner):
    """Both."""

    bound_to_node = True


def _port(handle: str) -> int:
    return 9000 + int(handle[1:])
