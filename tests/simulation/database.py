"""The real store on a real SQLite file, whose answers come late, never, or wrong when the plan says so."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from carrel.domain.events import Event
from carrel.lib.clock import Clock, SystemClock
from carrel.storage.base import Ears, StorageUnavailable
from carrel.storage.migrate import Schema
from carrel.storage.sql.engine import Engine, Statements, Values
from carrel.storage.sql.sqlite import SqliteEngine, SqliteLink
from carrel.storage.sql.store import SqlStore
from carrel.testing.simloop import Owner
from tests.simulation.wire import Wire
from tests.simulation.world import EPOCH, World

HUB_ID = "simulated"
_numbers = itertools.count(1)


def user_name(server: int) -> str:
    """Return who owns a server of the plan."""
    return f"user{server}"


class Template:
    """A database with everybody in it, and the directory of its copies."""

    def __init__(self, directory: Path, users: int) -> None:
        self.directory = directory
        self.users = users
        self.statements = Statements(SQLiteDialect_pysqlite(paramstyle="named"))
        """The hub's SQL, compiled once for all runs: that costs more than a run."""

    async def make(self) -> None:
        """Create it."""
        store = SqlStore("sqlite:///template.sqlite", directory=self.directory, clock=SystemClock())
        await store.open(claim=False)
        try:
            async with store.write() as tx:
                await tx.facts.put("hub_id", HUB_ID)
                for server in range(self.users):
                    await tx.users.create(user_name(server), admin=False, now=EPOCH)
        finally:
            await store.close()

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """Yield the path of a copy, gone after the block."""
        path = self.directory / f"run-{os.getpid()}-{next(_numbers)}.sqlite"
        shutil.copyfile(self.directory / "template.sqlite", path)
        try:
            yield path
        finally:
            for suffix in ("", "-wal", "-shm", ".lock"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextmanager
def open_template(users: int) -> Iterator[Template]:
    """Yield a template in memory, where the machine has such a place."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="carrel-simulation-", dir=place) as directory:
        template = Template(Path(directory), users)
        asyncio.run(template.make())
        yield template


class SimEngine(SqliteEngine):
    """SQLite as one hub process has it."""

    def __init__(self, path: Path, clock: Clock, hand: Hand) -> None:
        super().__init__(path, Schema(), clock, hand.jitter)
        self._hand = hand
        self._said: list[Event] = []
        self._open_connections: list[sqlite3.Connection] = []
        hand.owner.at_death.append(self._vanish)

    async def run(
        self, connection: sqlite3.Connection, text: str, values: Values | None = None
    ) -> sqlite3.Cursor:
        op = "commit" if text == "COMMIT" else "query"
        await self._hand.before(op)
        cursor = await super().run(connection, text, values)
        if op == "commit":
            self._hand.say(self._said)
            await self._hand.committed()
            await self._hand.rest()
        return cursor

    @asynccontextmanager
    async def write(self, *, durable: bool) -> AsyncIterator[SqliteLink]:
        async with super().write(durable=durable) as link:
            self._said = link.events
            yield link

    async def listen(self, ears: Ears) -> None:
        await self._hand.listen(ears)

    async def tell(self, events: Sequence[Event]) -> None:
        await self._hand.before("tell")
        self._hand.say(events)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqliteLink]:
        async with super().read() as link:
            yield link
            # Not between a query and its rows: a cursor that is left half read keeps its view of the past.
            await self._hand.rest()

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        self._open_connections.append(connection)
        return connection

    def _vanish(self) -> None:
        """Do with the connections what the kernel does when their process is gone."""
        for connection in self._open_connections:
            with suppress(sqlite3.Error):
                connection.rollback()
            connection.close()


class Hand:
    """What the plan does to the statements of one hub process."""

    def __init__(
        self, world: World, owner: Owner, hub: int, wire: Wire | None, on_commit: Callable[[str], None]
    ) -> None:
        self._world = world
        self._wire = wire
        self.owner = owner
        self._hub = hub
        self._on_commit = on_commit
        self._draw = world.draw(f"database:{hub}")
        self.jitter = world.draw(f"jitter:{hub}").random
        self._lost = False
        self._killed = False

    async def before(self, op: str) -> None:
        """Let a statement wait, fail, or be the last thing that the hub ever wanted."""
        faults = {item.kind: item for item in self._world.due(self._hub, op)}
        pause = self._world.latency(self._draw, self._world.query_time) if self._draw.random() < 0.3 else 0.0
        pause += sum(item.value for item in faults.values())
        if pause:
            await asyncio.sleep(pause)
        if "fail" in faults or self._is_away():
            raise StorageUnavailable("The simulated disk has failed.")
        self._lost = "lost" in faults
        self._killed = "kill" in faults
        if self._killed and op != "commit":
            await self._die()

    def _is_away(self) -> bool:
        return self._world.is_out("database") or self._world.is_out(f"database for {self._hub}")

    async def committed(self) -> None:
        """Look at what a commit has made; it may be the hub's last, or its answer may be lost."""
        lost, killed = self._lost, self._killed
        self._on_commit(self.owner.name)
        if killed:
            await self._die()
        if lost:
            raise StorageUnavailable("The simulated disk has taken it and does not say so.")

    def say(self, events: Sequence[Event]) -> None:
        """Tell the other hubs, if there can be any."""
        if self._wire is not None:
            self._wire.say(self._hub, events)

    async def listen(self, ears: Ears) -> None:
        """Hear the other hubs on one connection after the other."""
        while self._wire is not None:
            with suppress(StorageUnavailable):
                await self.before("listen")
                connection = self._wire.connect(self._hub, self.owner)
                ears.listening()
                await connection.hear(ears)
                ears.lost()
            await asyncio.sleep(0.1 + 2 * self._draw.random())

    async def rest(self) -> None:
        """Let an answer take its time now and then."""
        if self._draw.random() < 0.1:
            await asyncio.sleep(self._world.latency(self._draw, self._world.query_time))

    async def _die(self) -> None:
        self._world.loop.kill(self.owner)
        await self._world.loop.stand_still()


class SimStore(SqlStore):
    """The production store; several hubs may have one each on the same file."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        hand: Hand,
        statements: Statements,
        publish: Callable[[Event], None],
        *,
        single: bool,
    ) -> None:
        super().__init__(
            f"sqlite:///{path.name}",
            directory=path.parent,
            clock=clock,
            jitter=hand.jitter,
            publish=publish,
        )
        self._hand = hand
        self._single = single
        self._shared = statements

    @property
    def single_hub(self) -> bool:
        """Whether the plan has one hub."""
        return self._single

    async def checkpoint(self) -> None:
        """Do nothing: what is only of a disk is not simulated."""

    def _choose(self, url: URL) -> Engine:
        engine = SimEngine(self._directory / str(url.database), self._clock, self._hand)
        engine._statements = self._shared
        return engine
