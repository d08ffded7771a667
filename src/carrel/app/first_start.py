"""What a hub says when it starts where a JupyterHub was."""

from __future__ import annotations

import logging
from pathlib import Path

from carrel.config.schema import Settings
from carrel.storage.sql.store import backup_base

_log = logging.getLogger("carrel.app")


def point_at_jupyterhub(settings: Settings) -> None:
    """Say how what a JupyterHub has left here can be taken over, before there is a database beside it."""
    old, new = settings.directory / "jupyterhub.sqlite", _database_file(settings)
    if new is not None and not new.exists() and old.exists():
        _log.warning(
            "There is a JupyterHub database in %s: stop this hub and run `carrel import-jupyterhub` to take "
            "over its users, tokens and running servers; a new database is used until then",
            settings.directory,
        )


def _database_file(settings: Settings) -> Path | None:
    """Return the file that the database is in, None for one on a server."""
    in_file = settings.db_url.startswith("sqlite")
    return backup_base(settings.db_url, settings.directory) if in_file else None
