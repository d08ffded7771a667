"""Databases of hubs that have been in use. JupyterHub's takes a minute, so it is kept in the cache."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import measures
from bench.api.cases import World, make_token
from bench.api.client import Client
from bench.population import Size, database_of, name_of, point_at, populate, spread
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.places import CACHE
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systems import System

#: So many users have tokens of their own.
_OWN_TOKENS = 300
_KNOWN = "world.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database that waits to be copied, and what clients need to know of it."""

    system: System
    directory: Path
    world: World

    def copy_to(self, directory: Path, port: int) -> None:
        """Put the database into a hub's directory, with the running servers behind `port`."""
        name = database_of(self.system)
        shutil.copyfile(self.directory / name, directory / name)
        point_at(self.system, directory, port)


def prepare(system: System, size: Size, place: Path, port: int) -> Prepared:
    """Return a database of the system with that many users, made below `place` unless it is in the cache."""
    if system.is_carrel:
        directory = place / f"{system.name}-{size.users}"
    else:
        directory = CACHE / "bench-api" / f"{system.name}-{size.users}-{size.running}"
    if not (directory / _KNOWN).exists():
        shutil.rmtree(directory, ignore_errors=True)
        world = _make(system, size, directory, port)
        (directory / _KNOWN).write_text(json.dumps(asdict(world)))
    known = json.loads((directory / _KNOWN).read_text())
    return Prepared(system, directory, World(**(known | {"size": Size(**known["size"])})))


def _make(system: System, size: Size, directory: Path, port: int) -> World:
    """Let a hub make its tables and an admin's token, fill them, and have it make the users' tokens."""
    hub = HubProcess(system, directory, measures.config(directory))
    try:
        hub.start()
        hub.visitor().log_in("admin", PASSWORD, "/hub/home")
        token = hub.token("admin")
        _stop(hub)
        populate(system, directory, port, size)
        first = _first(directory / database_of(system))
        world = World(size, first, token)
        hub.start(timeout=180)
        world.own.update(asyncio.run(_make_tokens(hub.ports.hub, world)))
        _stop(hub)
        return world
    finally:
        hub.clean_up()


def _stop(hub: HubProcess) -> None:
    """End a hub and leave its users' servers running, which JupyterHub does only when it is killed."""
    if hub.system.is_carrel:
        hub.terminate(timeout=60)
    else:
        hub.kill9()
    processes.end(hub.proxies())


def _first(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (number,) = connection.execute("SELECT min(id) FROM users WHERE name LIKE 'old-%'").fetchone()
    return int(number)


async def _make_tokens(port: int, world: World) -> dict[str, str]:
    client = Client(port, random.Random(0))
    names = [name_of(number) for number in spread(world.ids, _OWN_TOKENS)]
    made = {name: await make_token(client, world, name) for name in names}
    client.leave()
    return made
