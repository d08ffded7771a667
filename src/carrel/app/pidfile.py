"""Which process is the hub: its id and start time in a file, so that a reused id is not mistaken for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from carrel.config.schema import BadConfig, Problem, Settings
from carrel.lib.process_table import Process, find, is_alive

_NAME = "hub.json"


@contextmanager
def hub_pid_file(runtime: Path, settings: Settings) -> Iterator[None]:
    """Say who we are while the block runs, in the runtime directory and in `pid_file` when that is set.

    Raises BadConfig when another hub runs from the directory.
    """
    here = runtime / _NAME
    other = running_hub(runtime)
    if other is not None:
        text = f"another hub (pid {other.pid}) runs from {runtime}: give each hub a directory of its own"
        place = settings.locations.get("JupyterHub.runtime_dir", "")
        raise BadConfig([Problem("JupyterHub.runtime_dir", text, place)])
    here.write_bytes(msgspec.json.encode(find(os.getpid())))
    extra = settings.directory / settings.pid_file if settings.pid_file else None
    if extra is not None:
        extra.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        here.unlink(missing_ok=True)
        if extra is not None:
            extra.unlink(missing_ok=True)


def running_hub(runtime: Path) -> Process | None:
    """Return the process of the hub that runs from this directory, or None."""
    try:
        hub = msgspec.json.decode((runtime / _NAME).read_bytes(), type=Process)
    except (OSError, msgspec.DecodeError):
        return None
    return hub if is_alive(hub) else None
