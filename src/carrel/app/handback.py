"""`carrel export-jupyterhub`: a database that JupyterHub 6.1 starts on, made of ours."""

from __future__ import annotations

import asyncio

from carrel.compat.databases.outgoing import TABLES, convert_back
from carrel.config.schema import Settings, without_password
from carrel.lib.clock import SystemClock
from carrel.lib.ids import new_token
from carrel.storage.bulk import Rows
from carrel.storage.jupyterhub.target import write_database
from carrel.storage.sql.store import SqlStore


def export_jupyterhub(settings: Settings, url: str) -> list[str]:
    """Write everything into a new JupyterHub database at `url`, and return what is to be said of it.

    Ours is only read. Raises StorageError when either database cannot be used, and for one that is not new.
    """
    clock = SystemClock()
    rows, at_work = asyncio.run(_read(settings, clock))
    data, report = convert_back(rows, base_url=settings.base_url, now=clock.now(), new_id=new_token)
    if at_work:
        report.leave("what changes from now on", "hubs are at work: stop them first, to be sure")
    write_database(url, settings.directory, data)
    return [
        *report.lines(),
        f"JupyterHub 6.1 starts on {without_password(url)}.",
    ]


async def _read(settings: Settings, clock: SystemClock) -> tuple[dict[str, Rows], bool]:
    store = SqlStore(settings.db_url, directory=settings.directory, clock=clock)
    await store.open(claim=False)
    try:
        async with store.read() as tx:
            alive = await tx.hubs.alive(clock.now())
            return {table: await tx.bulk.all(table) for table in TABLES}, bool(alive)
    finally:
        await store.close()
