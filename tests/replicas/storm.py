"""Three hubs under load, one of them killed every ten seconds and the database restarted every forty.

Now and then one is paused for longer than its leases last, and finds that others did its work.

    python -m tests.replicas.storm --minutes 10

prints what was done and found, and ends with 1 when something was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from carrel.core.tokens import new_record
from carrel.domain.servers import Actual, Lease, Server
from carrel.lib.clock import SystemClock
from carrel.lib.httpclient import Reply, send
from carrel.lib.ids import new_token
from carrel.storage.base import StorageError
from carrel.storage.sql.store import SqlStore
from tests.history.recorder import History
from tests.replicas.rig import TOKEN, Cluster, Replica, cluster
from tests.replicas.world import World
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.postgres import PostgresServer, find_binaries
from tests.rigs.singleusers import STUB
from tests.rigs.systems import free_port
from tests.rigs.visitor import Visitor

_USERS = 8
_READERS = 4
_KILL_EVERY = 10.0
_DOWN = 1.0
_RESTART_EVERY = 40.0
_PAUSE_EVERY = 60.0
_PAUSED = 12.0
_PATIENCE = 30.0
_QUIET = 60.0
#: By how much a file's times may be off: the kernel's clock for them is coarse.
_COARSE = 0.02
_TAKEOVER = 2.0
_FAILED_SHARE = 0.001


@dataclass(slots=True)
class Findings:
    """What a storm has done and shown."""

    kills: int = 0
    restarts: int = 0
    pauses: int = 0
    starts: int = 0
    stops: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the end of a dead hub's lease to somebody else's work."""
    runs: int = 0
    operations: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def failed_share(self) -> float:
        """The share of the safe requests to the hub, through the data plane, that failed."""
        return 1 - self.reads["ok"] / max(1, self.reads.total())

    def __str__(self) -> str:
        lines = [
            f"hubs killed {self.kills}, paused {self.pauses}, database restarted {self.restarts}",
            f"starts asked for {self.starts}, stops {self.stops}, runs {self.runs}",
            f"safe requests {self.reads.total()}, failed {self.failed_share:.3%} {dict(self.reads)}",
            f"pages of servers {dict(self.pages)}",
            f"histories of {self.operations} operations",
        ]
        if self.takeovers:
            middle, worst = statistics.median(self.takeovers), max(self.takeovers)
            lines.append(
                f"work of dead hubs taken over {len(self.takeovers)} times, "
                f"{middle:.2f} s (median), {worst:.2f} s (worst) after the lease's end"
            )
        return "\n".join([*lines, *(f"PROBLEM: {problem}" for problem in self.problems)])


class Storm:
    """One run over a cluster that is up; `tokens` are the users'."""

    def __init__(
        self,
        hubs: Cluster,
        database: PostgresServer,
        store: SqlStore,
        world: World,
        tokens: Mapping[str, str],
    ) -> None:
        self._hubs = hubs
        self._database = database
        self._store = store
        self._world = world
        self._tokens = tokens
        self._random = random.Random(7)
        self._history = History()
        self._until = 0.0
        self._dead: set[str] = set()
        self._paused: Replica | None = None
        self._held: dict[int, Lease] = {}
        self.found = Findings()

    async def run(self, seconds: float) -> Findings:
        """Let it blow for so long, wait for calm, and look at what is left."""
        self._until = time.monotonic() + seconds
        work = [self._live(name) for name in self._tokens]
        work += [self._read(name) for name in list(self._tokens)[:_READERS]]
        watching = asyncio.create_task(self._watch_leases())
        await asyncio.gather(*work, self._kill(), self._pause(), self._restart_database())
        await self._calm()
        watching.cancel()
        await asyncio.wait((watching,))
        await self._judge()
        return self.found

    def _blows(self) -> bool:
        return time.monotonic() < self._until

    # The load

    async def _live(self, name: str) -> None:
        """Start and stop a server again and again, as its owner."""
        while self._blows():
            await self._ask(name, "POST")
            self.found.starts += 1
            if await self._settles(name, lambda model: bool(model and model["ready"])):
                await self._look_at_page(name)
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
            await self._ask(name, "DELETE")
            self.found.stops += 1
            await self._settles(name, lambda model: model is None)

    async def _ask(self, name: str, method: str) -> None:
        began = self._history.now()
        reply = await self._send(name, method, f"users/{name}/server", b"{}" if method == "POST" else b"")
        status = reply.status if reply else None
        if status == 409:
            return
        by = self._history.now() + _PATIENCE
        if method == "POST":
            message = str(_json(reply).get("message", "")) if reply and reply.body else ""
            self._history.start(name, began, status, message, by)
        else:
            self._history.stop(name, began, status, by)

    async def _settles(self, name: str, is_done: Callable[[Any], bool]) -> bool:
        """Look at a server until nothing is pending or it is as it should be; tell whether it is."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            began = self._history.now()
            reply = await self._send(name, "GET", f"users/{name}")
            if reply is not None and reply.status == 200:
                model = _json(reply)["servers"].get("")
                self._history.look(name, began, model)
                if is_done(model):
                    return True
                if model is None or not model.get("pending"):
                    return False
            await asyncio.sleep(0.2)
        return False

    async def _look_at_page(self, name: str) -> None:
        try:
            reply = await send("GET", f"{self._hubs.plane.url}user/{name}/", seconds=_PATIENCE)
        except (TimeoutError, OSError) as error:
            self.found.pages[type(error).__name__] += 1
        else:
            self.found.pages["ok" if reply.status == 200 else str(reply.status)] += 1

    async def _read(self, name: str) -> None:
        """Ask the hub who one is, through the data plane."""
        while self._blows():
            try:
                reply = await self._get_self(name)
            except (TimeoutError, OSError) as error:
                self.found.reads[type(error).__name__] += 1
            else:
                self.found.reads["ok" if reply.status == 200 else str(reply.status)] += 1
            await asyncio.sleep(0.05)

    async def _get_self(self, name: str) -> Reply:
        headers = {"Authorization": f"token {self._tokens[name]}"}
        url = f"{self._hubs.plane.url}hub/api/user"
        return await send("GET", url, headers=headers, seconds=_PATIENCE)

    async def _send(self, name: str, method: str, path: str, body: bytes = b"") -> Reply | None:
        headers = {"Authorization": f"token {self._tokens[name]}", "Content-Type": "application/json"}
        url = f"{self._hubs.plane.url}hub/api/{path}"
        try:
            return await send(method, url, headers=headers, body=body, seconds=_PATIENCE)
        except (TimeoutError, OSError):
            return None

    # The weather

    async def _kill(self) -> None:
        while self._blows():
            await asyncio.sleep(_KILL_EVERY)
            hub = self._hubs.hubs[self.found.kills % len(self._hubs.hubs)]
            if hub is self._paused:
                hub = self._hubs.hubs[(self.found.kills + 1) % len(self._hubs.hubs)]
            self._dead.add(str(hub.pid))
            await asyncio.to_thread(hub.kill9)
            self.found.kills += 1
            await asyncio.sleep(_DOWN)
            await asyncio.to_thread(hub.launch)

    async def _pause(self) -> None:
        """Stop a hub's process in its tracks for longer than its leases and its place among the hubs last."""
        await asyncio.sleep(_PAUSE_EVERY / 4)
        while self._blows():
            hub = self._paused = self._hubs.hubs[self.found.pauses % len(self._hubs.hubs)]
            pid = str(hub.pid)
            self._dead.add(pid)
            os.kill(hub.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(_PAUSED)
            finally:
                os.kill(hub.pid, signal.SIGCONT)
            self._dead.discard(pid)
            self._held.clear()
            self._paused = None
            self.found.pauses += 1
            await asyncio.sleep(_PAUSE_EVERY - _PAUSED)

    async def _restart_database(self) -> None:
        # A moment that does not always fall together with a kill.
        await asyncio.sleep(_RESTART_EVERY / 3)
        while self._blows():
            await asyncio.to_thread(self._database.halt)
            await asyncio.to_thread(self._database.resume)
            self.found.restarts += 1
            await asyncio.sleep(_RESTART_EVERY)

    async def _watch_leases(self) -> None:
        """Note how long after its end a dead hub's lease stays."""
        while True:
            try:
                async with self._store.read() as tx:
                    rows = await tx.servers.unsettled()
            except StorageError:
                pass
            else:
                self._note_leases({row.id: row for row in rows})
            await asyncio.sleep(0.1)

    def _note_leases(self, rows: Mapping[int, Server]) -> None:
        now = time.time()
        for server_id, lease in list(self._held.items()):
            row = rows.get(server_id)
            if row is None or row.lease is None or row.lease.fence != lease.fence:
                del self._held[server_id]
                self.found.takeovers.append(max(0.0, now - lease.expires))
        for server_id, row in rows.items():
            if row.lease is not None and _pid_of(row.lease) in self._dead:
                self._held[server_id] = row.lease

    # Afterwards

    async def _calm(self) -> None:
        """Wait until nothing is to be done any more; what still is then is a problem."""
        deadline = time.monotonic() + _QUIET
        for hub in self._hubs.hubs:
            await asyncio.to_thread(hub.wait_ready)
        while time.monotonic() < deadline:
            async with self._store.read() as tx:
                rows = await tx.servers.unsettled()
            if not rows:
                return
            await asyncio.sleep(0.2)
        self.found.problems += [f"after {_QUIET:g} s still not settled: {row}" for row in rows]

    async def _judge(self) -> None:
        async with self._store.read() as tx:
            users = [user for name in self._tokens if (user := await tx.users.get(name))]
            rows = {row.id: row for row in await tx.servers.of_users([user.id for user in users])}
        self._judge_world(rows)
        await self._judge_routes(rows)
        found = self.found
        found.operations = len(self._history)
        found.problems += [f"{name}: {wrong}" for name, wrong in self._history.problems().items()]
        found.problems += [
            f"taken over {late:.2f} s after the lease's end" for late in found.takeovers if late > _TAKEOVER
        ]
        if found.failed_share >= _FAILED_SHARE:
            found.problems.append(
                f"{found.failed_share:.3%} of the safe requests failed: {dict(found.reads)}"
            )
        if found.pages.keys() - {"ok"}:
            found.problems.append(f"pages of ready servers failed: {dict(found.pages)}")

    def _judge_world(self, rows: Mapping[int, Server]) -> None:
        shift = time.clock_gettime(time.CLOCK_BOOTTIME) - time.time()
        alive = set()
        for run in self._world.runs():
            self.found.runs += 1
            name = rows[run.server_id].user_name
            began = run.began + shift
            self._history.began(name, run.generation, began - _COARSE, began + _COARSE)
            if run.ended is None:
                alive.add((run.server_id, run.generation))
            else:
                ended = run.ended + shift
                self._history.ended(name, run.generation, ended - _COARSE, ended + _COARSE)
        running = {(row.id, row.generation) for row in rows.values() if row.actual is Actual.RUNNING}
        self.found.problems += [f"a run without a row: {run}" for run in alive - running]
        self.found.problems += [f"a row without a run: {run}" for run in running - alive]
        self.found.problems += [f"begun twice: {run}" for run in self._world.begun_twice()]

    async def _judge_routes(self, rows: Mapping[int, Server]) -> None:
        """Compare the data plane's table with the rows; it may take the hubs a moment to repair it."""
        wanted = {f"/user/{row.user_name}" for row in rows.values() if row.ready}
        api, headers = f"{self._hubs.plane.api_url}/api/routes", {"Authorization": f"token {TOKEN}"}
        deadline = time.monotonic() + 10
        while True:
            table = _json(await send("GET", api, headers=headers))
            present = {path.rstrip("/") for path in table if path.startswith("/user/")}
            if present == wanted:
                return
            if time.monotonic() > deadline:
                self.found.problems.append(f"routes {sorted(present)} where {sorted(wanted)} should be")
                return
            await asyncio.sleep(0.2)


def _json(reply: Reply) -> dict[str, Any]:
    return msgspec.json.decode(reply.body, type=dict[str, Any])


def _pid_of(lease: Lease) -> str:
    return lease.owner.rpartition("/")[2].partition("-")[0]


async def prepare(store: SqlStore) -> dict[str, str]:
    """Make the database with its users, and return a token of each."""
    await store.open()
    now, tokens = SystemClock().now(), {}
    async with store.write(durable=True) as tx:
        for number in range(_USERS):
            user = await tx.users.create(f"user{number}", admin=False, now=now)
            tokens[user.name] = new_token()
            await tx.tokens.add(new_record(user, tokens[user.name], ("inherit",), now=now))
    return tokens


def storm(directory: Path, database: PostgresServer, url: str, seconds: float) -> Findings:
    """Run three hubs and a storm over them; `directory` is empty."""
    world, port = World(directory / "world"), free_port()
    store = SqlStore(url, directory=directory, clock=SystemClock())
    extra = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.replicas.world import WorldSpawner
c.JupyterHub.spawner_class = WorldSpawner
c.WorldSpawner.directory = {str(world.directory)!r}
c.WorldSpawner.stub_url = 'http://127.0.0.1:{port}'
c.Spawner.poll_interval = 5
"""

    async def blow(hubs: Cluster, tokens: Mapping[str, str]) -> Findings:
        await store.open(claim=False)
        try:
            return await Storm(hubs, database, store, world, tokens).run(seconds)
        finally:
            await store.close()

    async def make() -> dict[str, str]:
        try:
            return await prepare(store)
        finally:
            await store.close()

    tokens = asyncio.run(make())
    with ExitStack() as stack:
        stub = subprocess.Popen([*STUB, str(port)])
        stack.callback(stub.wait)
        stack.callback(stub.kill)
        until(lambda: _answers(f"http://127.0.0.1:{port}/"), "the stub to answer")
        hubs = stack.enter_context(cluster(directory, url, 3, extra))
        return asyncio.run(blow(hubs, tokens))


def _answers(url: str) -> bool:
    try:
        return Visitor(url).get("", timeout=5).status == 200
    except OSError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    binaries = find_binaries()
    if binaries is None:
        print("PostgreSQL's server is not here; `make test` as root installs it", file=sys.stderr)
        return 1
    database = PostgresServer(binaries)
    with ExitStack() as stack:
        stack.callback(database.stop)
        database.start()
        here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carrel-replicas-")))
        found = storm(here, database, database.create_database(), minutes * 60)
    print(found)
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
