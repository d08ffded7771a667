"""The single-user servers that the suites run, and the configuration of a hub for a class."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.needs import need
from tests.rigs.places import CACHE

PASSWORD = "correct horse battery staple"
STUB = (sys.executable, str(Path(__file__).with_name("stub_server.py")))


@dataclass(frozen=True, slots=True)
class Singleuser:
    """One program that serves a user's notebooks."""

    name: str
    program: Path

    def command(self) -> tuple[str, ...]:
        """Return the command line; skips the test when the program is not installed."""
        need(self.program.exists(), f"{self.name} ({self.program})")
        return (str(self.program),)


CARREL = Singleuser("carrel-singleuser", Path(sys.executable).parent / "carrel-singleuser")
JUPYTERHUB_6 = Singleuser("jupyterhub-singleuser 6", CACHE / "jupyterhub-6" / "bin" / "jupyterhub-singleuser")
JUPYTERHUB_5 = Singleuser("jupyterhub-singleuser 5", CACHE / "jupyterhub-5" / "bin" / "jupyterhub-singleuser")
ALL = (CARREL, JUPYTERHUB_6, JUPYTERHUB_5)


def class_config(directory: Path, command: Sequence[str]) -> str:
    """Return the configuration of a hub where anybody logs in with PASSWORD and `admin` is an administrator.

    Servers run `command` as the hub's own account, each in a home of its own below `directory`. A real one
    may take its time until it answers: it imports much, on a machine that is busy.
    """
    homes = directory / "home"
    homes.mkdir(parents=True, exist_ok=True)
    is_real = tuple(command)[:1] in {(str(each.program),) for each in ALL}
    return f"""
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{'admin'}}
c.JupyterHub.spawner_class = 'simple'
c.SimpleLocalProcessSpawner.home_dir_template = '{homes}/{{username}}'
c.Spawner.cmd = {list(command)!r}
c.Spawner.args = {[] if tuple(command) == STUB else ["--allow-root"]!r}
c.Spawner.default_url = '/lab'
{"c.Spawner.http_timeout = 60" if is_real else ""}
"""
