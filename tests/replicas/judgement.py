"""What must be true once a storm is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping

from carrel.domain.servers import Actual, Server
from carrel.lib.httpclient import send
from carrel.storage.sql.store import SqlStore
from tests.history.recorder import History
from tests.replicas.findings import Findings
from tests.replicas.load import json_of
from tests.replicas.rig import TOKEN, DataPlane
from tests.replicas.world import World

#: How long what was begun may take to come to its end, in seconds.
_QUIET = 60.0
#: By how much a file's times may be off: the kernel's clock for them is coarse.
_COARSE = 0.02
_TAKEOVER = 2.0
_FAILED_SHARE = 0.001


class Judgement:
    """Compares rows, runs, routes and what people were told, and notes what does not fit."""

    def __init__(self, store: SqlStore, world: World, found: Findings, history: History) -> None:
        self._store = store
        self._world = world
        self._found = found
        self._history = history

    async def wait_for_calm(self) -> None:
        """Wait until nothing is to be done any more; what still is then is a problem."""
        deadline = time.monotonic() + _QUIET
        while time.monotonic() < deadline:
            async with self._store.read() as tx:
                rows = await tx.servers.unsettled()
            if not rows:
                return
            await asyncio.sleep(0.2)
        self._found.problems += [f"after {_QUIET:g} s still not settled: {row}" for row in rows]

    async def judge(self, names: Iterable[str], plane: DataPlane) -> None:
        """Look at everything; `names` are the users."""
        async with self._store.read() as tx:
            users = [user for name in names if (user := await tx.users.get(name))]
            rows = {row.id: row for row in await tx.servers.of_users([user.id for user in users])}
        self._judge_world(rows)
        await self._judge_routes(rows, plane)
        found = self._found
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
            self._found.runs += 1
            name = rows[run.server_id].user_name
            began = run.began + shift
            self._history.began(name, run.generation, began - _COARSE, began + _COARSE)
            if run.ended is None:
                alive.add((run.server_id, run.generation))
            else:
                ended = run.ended + shift
                self._history.ended(name, run.generation, ended - _COARSE, ended + _COARSE)
        running = {(row.id, row.generation) for row in rows.values() if row.actual is Actual.RUNNING}
        self._found.problems += [f"a run without a row: {run}" for run in alive - running]
        self._found.problems += [f"a row without a run: {run}" for run in running - alive]
        self._found.problems += [f"begun twice: {run}" for run in self._world.begun_twice()]

    async def _judge_routes(self, rows: Mapping[int, Server], plane: DataPlane) -> None:
        """Compare the data plane's table with the rows; it may take the hubs a moment to repair it."""
        wanted = {f"/user/{row.user_name}" for row in rows.values() if row.ready}
        api, headers = f"{plane.api_url}/api/routes", {"Authorization": f"token {TOKEN}"}
        deadline = time.monotonic() + 10
        while True:
            table = json_of(await send("GET", api, headers=headers))
            present = {path.rstrip("/") for path in table if path.startswith("/user/")}
            if present == wanted:
                return
            if time.monotonic() > deadline:
                self._found.problems.append(f"routes {sorted(present)} where {sorted(wanted)} should be")
                return
            await asyncio.sleep(0.2)
