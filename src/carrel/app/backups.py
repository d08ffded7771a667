"""`carrel backup`, `carrel rollback` and `carrel upgrade-db`: the database of the settings, as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from carrel.config.schema import Settings
from carrel.lib.clock import SystemClock
from carrel.storage.backups import Backup, Backups
from carrel.storage.rollback import back_up, roll_back
from carrel.storage.sql.store import SqlStore, Tuning, backup_base


def back_up_database(settings: Settings, target: Path | None) -> Path:
    """Return a new copy of the database; hubs may go on. Raises StorageError."""
    return back_up(settings.db_url, settings.directory, SystemClock(), target)


def list_backups(settings: Settings) -> list[Backup]:
    """Return the copies beside the database, the newest first."""
    return Backups(backup_base(settings.db_url, settings.directory), SystemClock()).all()


def roll_back_database(settings: Settings, copy: Path) -> tuple[Path, str]:
    """Put a copy back; return where what was there is kept, and the revision that is there now.

    Raises StorageError while a hub uses the database.
    """
    return roll_back(settings.db_url, settings.directory, SystemClock(), copy)


def upgrade_database(settings: Settings, *, back_up: bool) -> None:
    """Make the database one that this release reads, as a start of the hub does; raises StorageError."""
    asyncio.run(_upgrade(settings, back_up))


async def _upgrade(settings: Settings, back_up: bool) -> None:
    tuning = Tuning(back_up=back_up)
    store = SqlStore(settings.db_url, directory=settings.directory, clock=SystemClock(), tuning=tuning)
    await store.open()
    await store.close()
