"""A hundred thousand users: Carrel alone, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bench import measures
from bench.api.cases import Case
from bench.api.rounds import Amounts, measure_full, measure_started
from bench.api.worlds import Prepared, prepare
from bench.measures import Figures
from bench.population import Size, fill_carrel
from tests.rigs.hub import HubProcess
from tests.rigs.postgres import PostgresServer, find_binaries
from tests.rigs.systems import System

SIZE = Size(users=100_000, running=5_000, members=10_000)
AT_ONCE = 8
NAMES = ("somebody", "page-200", "some-page", "search", "active", "log-in")


def measure(
    systems: Iterable[System],
    cases: Sequence[Case],
    place: Path,
    port: int,
    amounts: Amounts,
    on_postgres: bool,
) -> dict[str, list[Figures]]:
    """Return the figures of each round, by database."""
    chosen = [case for case in cases if case.name in NAMES]
    found: dict[str, list[Figures]] = {}
    for system in systems:
        print(f"{system.name}: making 100,000 users", file=sys.stderr, flush=True)
        prepared = prepare(system, SIZE, place, port)
        for number in range(amounts.rounds):
            _say("SQLite", number, amounts)
            figures = measure_full(prepared, port, chosen, (AT_ONCE,), amounts)
            found.setdefault("SQLite", []).append(figures)
        if on_postgres:
            found |= _measure_on_postgres(prepared, chosen, port, amounts)
    return found


def _measure_on_postgres(
    prepared: Prepared, cases: Sequence[Case], port: int, amounts: Amounts
) -> dict[str, list[Figures]]:
    binaries = find_binaries()
    if binaries is None:
        print("PostgreSQL: left out, it is not installed", file=sys.stderr)
        return {}
    with ExitStack() as stack:
        server = PostgresServer(binaries)
        stack.callback(server.stop)
        server.start()
        url = server.create_database()
        directory = Path(tempfile.mkdtemp(prefix="bench-carrel-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        config = measures.config(directory) + f"\nc.JupyterHub.db_url = {url!r}\n"
        hub = HubProcess(prepared.system, directory, config)
        stack.callback(hub.clean_up)
        hub.start()
        token = hub.token("admin")
        hub.terminate(timeout=60)
        first = _fill(url, port)
        world = replace(prepared.world, first=first, token=token)
        found = []
        for number in range(amounts.rounds):
            _say("PostgreSQL", number, amounts)
            found.append(measure_started(hub, world, cases, (AT_ONCE,), amounts))
            hub.terminate(timeout=60)
        return {"PostgreSQL": found}


def _fill(url: str, port: int) -> int:
    """Add the users; return the first one's id."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url) as connection:

        def insert(table: str, rows: Iterable[Mapping[str, object]]) -> None:
            rows = iter(rows)
            first = next(iter(some := list(islice(rows, 1))))
            names = sql.SQL(", ").join(map(sql.Identifier, first))
            copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with connection.cursor().copy(copy) as stream:
                for row in (*some, *rows):
                    stream.write_row(tuple(row.values()))

        row = connection.execute("SELECT coalesce(max(id), 0) FROM users").fetchone()
        ids = SIZE.ids(row[0] if row else 0)
        fill_carrel(insert, SIZE, ids, port)
        for table in ("users", "groups"):
            connection.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), (SELECT max(id) FROM {}))").format(
                    sql.Literal(table), sql.Identifier(table)
                )
            )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return ids.start


def _say(database: str, number: int, amounts: Amounts) -> None:
    print(f"carrel, {database}: round {number + 1} of {amounts.rounds}", file=sys.stderr, flush=True)
