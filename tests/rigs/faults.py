"""Starts that fail in known ways, each with what the hub has to say of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rigs.singleusers import CARREL, class_config

SCRIPT = Path(__file__).with_name("faulty_server.py")
#: How long a server that will never answer is waited for, in seconds.
SHORT = 15
#: How long a single-user server may look for its hub.
LONG = 90


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail."""

    code: str
    message: str
    """Words of the sentence."""
    hint: str
    """Words of the next step."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the spawner of this start, besides its command."""
    cmd: Sequence[str] = ()
    """The command; empty for the script with this fault's name."""
    hook: str = ""
    """What `pre_spawn_hook` does: one of `raise`, `tell`, `wait`."""

    def plan(self, name: str) -> dict[str, Any]:
        """Return what the hub's hook does before the start of the user called `name`."""
        command = list(self.cmd) or [sys.executable, str(SCRIPT), name]
        return {
            "hook": self.hook,
            "settings": {"cmd": command, "args": [], "http_timeout": SHORT, **self.settings},
        }


def jupyter(code: str, message: str, hint: str, *args: str, **environment: str) -> Fault:
    """Return a fault of the real single-user server."""
    settings = {"args": ["--allow-root", *args], "environment": environment, "http_timeout": LONG}
    return Fault(code, message, hint, settings, cmd=(str(CARREL.program),))


def shell(code: str, message: str, hint: str, line: str) -> Fault:
    """Return a fault of a wrapper script."""
    return Fault(code, message, hint, cmd=("sh", "-c", line))


def hub_config(directory: Path, faults: Mapping[str, Fault]) -> str:
    """Return the configuration of a hub where each user's start has the fault of their name."""
    plans = directory / "plans.json"
    plans.write_text(json.dumps({name: fault.plan(name) for name, fault in faults.items()}))
    return class_config(directory, (sys.executable, str(SCRIPT))) + _HOOK.format(
        plans=str(plans), names=sorted(faults), short=SHORT, long=LONG
    )


_HOOK = """
import asyncio, json, pathlib

c.Authenticator.allowed_users = set({names!r})
# Admins' starts go on whatever becomes of the others'.
c.Authenticator.admin_users = {{'admin', *{names!r}}}
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.http_timeout = {long}
c.Spawner.poll_interval = 1
c.Spawner.start_timeout = {short}

class Told(Exception):
    jupyterhub_message = 'Servers are closed on Sundays.'

async def choose(spawner):
    plan = json.loads(pathlib.Path({plans!r}).read_text())[spawner.user.name]
    for name, value in plan['settings'].items():
        setattr(spawner, name, value)
    if plan['hook'] == 'raise':
        raise RuntimeError('the course list is empty')
    if plan['hook'] == 'tell':
        raise Told('internal words')
    if plan['hook'] == 'wait':
        await asyncio.sleep(600)

c.Spawner.pre_spawn_hook = choose
"""
