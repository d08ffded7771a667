"""A site whose servers are forked from a template, which is killed now and then, too."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.chaos.site import Site
from tests.rigs.accounts import PYTHON
from tests.rigs.hub import HubProcess

_CONFIG = """
c.Spawner.cmd = [{script!r}]
c.LocalProcessSpawner.warm_start_commands = [{name!r}]
"""


def templates() -> Site:
    """Return the site."""
    return Site(config=_config, strike=_strike)


def _config(diary: Path, stub: Path) -> str:
    script = diary.parent / "stub-server"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"#!{PYTHON if PYTHON.exists() else sys.executable}\n{stub.read_text()}")
    script.chmod(0o755)
    return _CONFIG.format(script=str(script), name=script.name)


def _strike(hub: HubProcess) -> None:
    for pid in hub.templates():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
