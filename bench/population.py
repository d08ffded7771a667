"""A hub that has been in use: its database is filled behind its back, so that its next start finds it so."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.rigs.systems import System

USERS = 10_000
RUNNING = 1_000


def populate(system: System, directory: Path, port: int) -> None:
    """Add users, the first of whom have running servers behind `port`; the hub made its tables and ended."""
    fill = _fill_carrel if system.is_carrel else _fill_jupyterhub
    name = "carrel.sqlite" if system.is_carrel else "jupyterhub.sqlite"
    with closing(sqlite3.connect(directory / name)) as database, database:
        (last,) = database.execute("SELECT coalesce(max(id), 0) FROM users").fetchone()
        fill(database, range(last + 1, last + 1 + USERS), port)


def _fill_carrel(database: sqlite3.Connection, ids: range, port: int) -> None:
    now = time.time()
    people = [(number, f"old-{number}", f"old-{number}", 0, now, now) for number in ids]
    columns = "id, name, folded, admin, created, last_activity"
    database.executemany(f"INSERT INTO users ({columns}) VALUES (?, ?, ?, ?, ?, ?)", people)
    row = {
        "user_id": 0, "name": "", "created": now, "wanted": "running", "actual": "running", "version": 4,
        "wanted_generation": 1, "generation": 1, "fence": 2, "state": json.dumps({"running": True}),
        "user_options": "{}", "display_name": "", "url": f"http://127.0.0.1:{port}", "started": now,
        "last_activity": now,
    }  # fmt: skip
    _insert(database, "servers", [row | {"user_id": number} for number in ids[:RUNNING]])


def _fill_jupyterhub(database: sqlite3.Connection, ids: range, port: int) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
    user = {"admin": 0, "created": now, "last_activity": now}
    people = [user | {"id": n, "name": f"old-{n}", "cookie_id": f"cookie-{n}"} for n in ids]
    _insert(database, "users", people)
    server = {"proto": "http", "ip": "127.0.0.1", "port": port, "cookie_name": "c"}
    running = ids[:RUNNING]
    _insert(database, "servers", [server | {"id": n, "base_url": f"/user/old-{n}/"} for n in running])
    spawner = {"state": json.dumps({"running": True}), "name": "", "started": now, "last_activity": now}
    spawner |= {"user_options": "{}"}
    _insert(database, "spawners", [spawner | {"id": n, "user_id": n, "server_id": n} for n in running])


def _insert(database: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    database.executemany(statement, [tuple(row[name] for name in names) for row in rows])
