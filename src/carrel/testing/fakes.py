"""Stand-ins whose behaviour a test writes down: they fail, wait and lie on demand, and start nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from traitlets import Integer

from carrel.domain.routes import Route
from carrel.lib.clock import Clock, SystemClock
from carrel.proxy.base import OutOfStep, Proxy, ProxyError, Unreachable
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Orphan, Usage, Waiting

RunKey = tuple[int, int]
"""Server id and generation."""


@dataclass(slots=True)
class Script:
    """What the fake does from now on; times are in seconds of the world's clock."""

    start_delay: float = 0.0
    start_error: Exception | None = None
    """Raised by start() after the delay."""
    leave_on_error: bool = False
    """A failing start() leaves its server running, as a bad driver does."""
    exit_status: int | None = None
    """The server ends with it as soon as it has started."""
    stop_delay: float = 0.0
    stop_error: Exception | None = None
    poll_error: Exception | None = None
    stubborn: bool = False
    """start() and stop() go on to their end when they are cancelled, as a call in a thread does."""
    answer: Any = None
    """What start() returns in the place of the address."""
    poll_answers: list[Any] = field(default_factory=list)
    """What the next polls answer, whatever is true."""
    disowned: bool = False
    """What carries a run's label is somebody else's."""
    find_error: Exception | None = None
    log: str = ""
    """What the server writes."""
    usage: Usage | None = None
    """What the server says that it uses."""
    queued: Waiting | None = None
    """While it is set, starts wait in the queue of the world."""
    queue_error: Exception | None = None
    """Raised when somebody asks how a start waits."""
    resumes: bool = False
    """Starts that were cut off are gone on with, and leave their server for that."""
    address: tuple[str, int] = ("127.0.0.1", 1)
    reached: bool = True
    """It is the server that answers there."""


@dataclass(slots=True)
class FakeServer:
    """One server in the fake world."""

    env: Mapping[str, str]
    log: str = ""
    exit_status: int | None = None


@dataclass(slots=True)
class FakeWorld:
    """Where fake servers live; it outlives the hub of a test as the real world does."""

    clock: Clock = field(default_factory=SystemClock)
    script: Script = field(default_factory=Script)
    scripts: dict[str, Script] = field(default_factory=dict)
    """By user name; others follow `script`."""
    servers: dict[RunKey, FakeServer] = field(default_factory=dict)
    calls: list[tuple[str, RunKey]] = field(default_factory=list)

    def spawner_class(self) -> type[FakeSpawner]:
        """Return a driver class whose servers live in this world."""
        return type("FakeSpawner", (FakeSpawner,), {"world": self})

    def alive(self) -> set[RunKey]:
        """Return the runs that live."""
        return {key for key, server in self.servers.items() if server.exit_status is None}


class FakeSpawner(Spawner):
    """A driver without processes; get a class from `FakeWorld.spawner_class()`."""

    world: ClassVar[FakeWorld]
    handle = Integer(0)

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint."""
        super().load_state(state)
        self.handle = int(state.get("handle", 0))

    def get_state(self) -> dict[str, Any]:
        """Return the checkpoint."""
        return super().get_state() | ({"handle": self.handle} if self.handle else {})

    def clear_state(self) -> None:
        """Forget the server."""
        super().clear_state()
        self.handle = 0

    async def start(self) -> Any:
        """Do what the script says."""
        script = self._script
        self._note("start")
        self.world.servers[self._key] = FakeServer(self.get_env(), script.log)
        self.handle = self.generation
        try:
            await self.save_state()
            await self._wait_in_queue()
            await self._wait(script.start_delay)
            if script.start_error is not None:
                raise script.start_error
        except BaseException:
            if not (script.leave_on_error or script.resumes):
                self.world.servers.pop(self._key, None)
            raise
        return self._begun()

    async def resume_start(self) -> Any:
        """Wait on in the queue of the world, if the script says so."""
        if not (self._script.resumes and self.handle):
            return None
        self._note("resume")
        await self._wait_in_queue()
        await self._wait(self._script.start_delay)
        return self._begun()

    async def waiting(self) -> Waiting | None:
        """Tell how the script lets it wait."""
        if self._script.queue_error is not None:
            raise self._script.queue_error
        return self._script.queued

    async def _wait_in_queue(self) -> None:
        while self._script.queued is not None:
            await self._wait(1.0)

    def _begun(self) -> Any:
        script = self._script
        # Again: one that comes back too late was told to forget it meanwhile.
        self.handle = self.generation
        self.world.servers[self._key].exit_status = script.exit_status
        self.server.ip, self.server.port = script.address
        return script.address if script.answer is None else script.answer

    async def poll(self) -> int | None:
        """Tell whether the server is in the world."""
        self._note("poll")
        if self._script.poll_error is not None:
            raise self._script.poll_error
        if self._script.poll_answers:
            return self._script.poll_answers.pop(0)  # type: ignore[no-any-return]
        server = self.world.servers.get(self._key) if self.handle else None
        return 0 if server is None else server.exit_status

    async def usage(self) -> Usage | None:
        """Return what the script says."""
        return self._script.usage

    async def stop(self, now: bool = False) -> None:
        """Take the server out of the world."""
        self._note("stop")
        if not now:
            await self._wait(self._script.stop_delay)
        if self._script.stop_error is not None:
            raise self._script.stop_error
        server = self.world.servers.get(self._key)
        if server is not None and server.exit_status is None:
            server.exit_status = 0

    async def logs(self, tail: int = 200) -> str:
        """Return what the script says that the server wrote."""
        server = self.world.servers.get(self._key)
        return "\n".join(server.log.splitlines()[-tail:]) if server else ""

    async def find_orphans(self, known: Collection[RunKey]) -> list[Orphan]:
        """Return the living servers besides the known ones."""
        if self.world.script.find_error is not None:
            raise self.world.script.find_error
        return [Orphan(*key, {"handle": key[1]}) for key in sorted(self.world.alive() - set(known))]

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over what the script does not disown."""
        self.server.ip, self.server.port = self._script.address
        return await super().recognize(orphan) and not self._script.disowned

    @property
    def _key(self) -> RunKey:
        return self.server_id, self.generation

    @property
    def _script(self) -> Script:
        return self.world.scripts.get(self.user.name, self.world.script)

    async def is_reached(self) -> bool:
        """Tell what the script says."""
        return self._script.reached

    async def _wait(self, seconds: float) -> None:
        clock = self.world.clock
        until = clock.monotonic() + seconds
        while True:
            try:
                return await clock.sleep(until - clock.monotonic())
            except asyncio.CancelledError:
                if not self._script.stubborn:
                    raise

    def _note(self, call: str) -> None:
        self.world.calls.append((call, self._key))


class FakeProxy(Proxy):
    """A data plane that is a dictionary; it outlives the hub of a test as a real one does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.table: dict[str, tuple[str, dict[str, Any]]] = {}
        self.foreign: dict[str, str] = {}
        """Routes that somebody else has set."""
        self.calls: list[tuple[str, str]] = []
        self.failures: dict[str, int] = {}
        """How many of the next calls of a method fail, by its name."""
        self.away = False
        """Whether nothing answers."""
        self._fresh = True
        self._behind = False

    def lose_routes(self) -> None:
        """Forget the table without a word, as a data plane that was set up wrongly does."""
        self.table.clear()

    def crash(self) -> None:
        """End, to be started anew with an empty table."""
        self.table.clear()
        self._fresh = True

    def fall_behind(self) -> None:
        """Have missed a change: make none until the whole table comes."""
        self._behind = True

    def specs(self) -> set[str]:
        """Return the paths of servers that have a route; the hub's own is not among them."""
        return set(self.table) - {urlsplit(self.public_url).path or "/"}

    async def start(self) -> bool:
        """Run; True when it did not run before."""
        self._note("start")
        fresh, self._fresh = self._fresh, False
        return fresh

    async def stop(self) -> bool:
        """End."""
        self._note("stop")
        self._fresh = True
        return True

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        """Set a route."""
        self._note("add_route", routespec)
        self._check_step()
        self.table[routespec] = (target, dict(data))

    async def delete_route(self, routespec: str) -> None:
        """Remove a route."""
        self._note("delete_route", routespec)
        self._check_step()
        self.table.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """Return the table."""
        self._note("get_all_routes")
        return {
            spec: {"routespec": spec, "target": target, "data": dict(data)}
            for spec, (target, data) in self.table.items()
        }

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        """Set the table."""
        self._behind = False
        await super().put_routes(routes)

    def _check_step(self) -> None:
        if self._behind:
            raise OutOfStep("the fake proxy missed a change")

    def _note(self, call: str, routespec: str = "") -> None:
        self.calls.append((call, routespec))
        if self.away:
            raise Unreachable("the fake proxy is away")
        if self.failures.get(call, 0) > 0:
            self.failures[call] -= 1
            raise ProxyError(f"the fake proxy was told to fail at {call}")


@dataclass(slots=True)
class FakeProbe:
    """Says whether a server answers, as the test wrote down; the default is that all do."""

    answers: bool = True
    silent: set[str] = field(default_factory=set)
    """Users whose servers do not answer."""
    asked: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    """What is seen of servers that do not answer."""

    async def __call__(self, url: str) -> bool:
        self.asked.append(url)
        return self.answers and not any(f"/user/{name}/" in url for name in self.silent)

    async def examine(self, url: str, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return what the test wrote down."""
        return self.seen
