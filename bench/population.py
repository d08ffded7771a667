"""A hub that has been in use: its database is filled behind its back, so that its next start finds it so."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.rigs.systems import System

#: Adds rows to a table; the names of the columns are the first row's.
Insert = Callable[[str, Iterable[Mapping[str, object]]], None]

_FEW = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """How many users there are, how many of them have a running server, and how many are in a group."""

    users: int = 10_000
    running: int = 1_000
    members: int = 0

    def ids(self, last: int) -> range:
        """Return the users' ids when the last one before them is `last`."""
        return range(last + 1, last + 1 + self.users)


def name_of(number: int) -> str:
    """Return the name of the user with an id."""
    return f"old-{number}"


def database_of(system: System) -> str:
    """Return the name of a hub's own database file."""
    return "carrel.sqlite" if system.is_carrel else "jupyterhub.sqlite"


def populate(system: System, directory: Path, port: int, size: Size | None = None) -> None:
    """Add users, some of whom have running servers behind `port`; the hub made its tables and ended."""
    size = size or Size()
    with closing(sqlite3.connect(directory / database_of(system))) as database, database:
        (last,) = database.execute("SELECT coalesce(max(id), 0) FROM users").fetchone()

        def insert(table: str, rows: Iterable[Mapping[str, object]]) -> None:
            rows = iter(rows)
            while some := list(islice(rows, _FEW)):
                marks = ", ".join("?" * len(some[0]))
                statement = f"INSERT INTO {table} ({', '.join(some[0])}) VALUES ({marks})"
                database.executemany(statement, [tuple(row.values()) for row in some])

        if system.is_carrel:
            fill_carrel(insert, size, size.ids(last), port)
        else:
            _fill_jupyterhub(insert, size, size.ids(last), port)
            _give_usual_role(database)


def point_at(system: System, directory: Path, port: int) -> None:
    """Have the running servers behind another port."""
    with closing(sqlite3.connect(directory / database_of(system))) as database, database:
        if system.is_carrel:
            database.execute("UPDATE servers SET url = ? WHERE url <> ''", (f"http://127.0.0.1:{port}",))
        else:
            database.execute("UPDATE servers SET port = ? WHERE base_url LIKE '/user/%'", (port,))


def fill_carrel(insert: Insert, size: Size, ids: range, port: int) -> None:
    """Add the rows of Carrel's tables; a boolean is one on every database."""
    now = time.time()
    user = {"admin": False, "created": now}
    people = (
        user | {"id": n, "name": name_of(n), "folded": name_of(n), "last_activity": now - n} for n in ids
    )
    insert("users", people)
    row = {
        "name": "", "created": now, "wanted": "running", "actual": "running", "version": 4,
        "wanted_generation": 1, "generation": 1, "fence": 2, "state": json.dumps({"running": True}),
        "user_options": "{}", "display_name": "", "url": f"http://127.0.0.1:{port}", "started": now,
        "last_activity": now,
    }  # fmt: skip
    insert("servers", (row | {"user_id": n} for n in spread(ids, size.running)))
    if size.members:
        insert("groups", [{"id": n, "name": f"course-{n}", "properties": "{}"} for n in range(1, 21)])
        members = spread(ids, size.members)
        insert("group_members", ({"group_id": 1 + n % 20, "user_id": n} for n in members))


def _fill_jupyterhub(insert: Insert, size: Size, ids: range, port: int) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
    user = {"admin": 0, "created": now, "last_activity": now}
    insert("users", (user | {"id": n, "name": name_of(n), "cookie_id": f"cookie-{n}"} for n in ids))
    server = {"proto": "http", "ip": "127.0.0.1", "port": port, "cookie_name": "c"}
    running = spread(ids, size.running)
    insert("servers", (server | {"id": n, "base_url": f"/user/{name_of(n)}/"} for n in running))
    spawner = {"state": json.dumps({"running": True}), "name": "", "started": now, "last_activity": now}
    spawner |= {"user_options": "{}"}
    insert("spawners", (spawner | {"id": n, "user_id": n, "server_id": n} for n in running))


def _give_usual_role(database: sqlite3.Connection) -> None:
    """Let everybody have JupyterHub's role `user`, as who is made over the API has."""
    database.execute(
        "INSERT INTO user_role_map (user_id, role_id, managed_by_auth) "
        "SELECT users.id, roles.id, 0 FROM users, roles "
        "WHERE roles.name = 'user' AND users.id NOT IN (SELECT user_id FROM user_role_map)"
    )


def spread(ids: range, count: int) -> Sequence[int]:
    """Return `count` of the ids, equally far from each other."""
    return ids[:: len(ids) // count][:count] if count else ids[:0]
