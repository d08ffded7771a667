"""Servers that another hub has started, as this one's drivers take them over."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from carrel.lib.process_table import environ_of, find, is_alive, owner_of


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """What the other hub's database says of a running server."""

    user_name: str
    server_name: str
    ip: str
    port: int
    is_its_token: Callable[[str], bool]
    """Whether an API token is one that the server was given; the database has its digest alone."""


def adopt_process(state: Mapping[str, Any], run: ImportedRun, uid: int) -> dict[str, Any] | None:
    """Return the checkpoint of the process whose pid is in `state`; None unless it surely is that server.

    It must have the rights that this server would have, and the server's own token in its environment: only
    who was given that could have it, and a pid alone may be anybody's by now.
    """
    pid = state.get("pid")
    process = find(pid) if isinstance(pid, int) and not isinstance(pid, bool) else None
    if process is None or process.pid == os.getpid():
        return None
    environ = environ_of(process.pid)
    named = (environ.get("JUPYTERHUB_USER"), environ.get("JUPYTERHUB_SERVER_NAME", ""))
    if named != (run.user_name, run.server_name) or not run.is_its_token(
        environ.get("JUPYTERHUB_API_TOKEN", "")
    ):
        return None
    # Looked at last: were the pid another's by now, this would say so.
    if owner_of(process.pid) != uid or not is_alive(process):
        return None
    found = {"pid": process.pid, "start_time": process.start_time, "log": ""}
    return {**state, **found, "ip": run.ip, "port": run.port}
