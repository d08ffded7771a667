"""Three hubs under load, one of them killed every ten seconds and the database restarted every forty.

Now and then one is paused for longer than its leases last, and finds that others did its work.

    python -m tests.replicas.storm --minutes 10

prints what was done and found, and ends with 1 when something was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from carrel.core.tokens import new_record
from carrel.lib.clock import SystemClock
from carrel.lib.ids import new_token
from carrel.storage.sql.store import SqlStore
from tests.history.recorder import History
from tests.replicas.findings import Findings
from tests.replicas.judgement import Judgement
from tests.replicas.load import Load
from tests.replicas.rig import Cluster, cluster
from tests.replicas.weather import Weather
from tests.replicas.world import World
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.postgres import PostgresServer, find_binaries
from tests.rigs.singleusers import STUB
from tests.rigs.systems import free_port
from tests.rigs.visitor import Visitor

_USERS = 8


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
        found, history = Findings(), History()
        load = Load(hubs.plane.url, tokens, found, history)
        weather = Weather(hubs.hubs, database, store, found)
        judgement = Judgement(store, world, found, history)
        await store.open(claim=False)
        try:
            watching = asyncio.create_task(weather.watch_leases())
            end = time.monotonic() + seconds
            await asyncio.gather(load.run(end), weather.run(end))
            for hub in hubs.hubs:
                await asyncio.to_thread(hub.wait_ready)
            await judgement.wait_for_calm()
            watching.cancel()
            await asyncio.wait((watching,))
            await judgement.judge(tokens, hubs.plane)
        finally:
            await store.close()
        return found

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
