"""What `carrel doctor` can examine, with the settings of a configuration."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from carrel.app.classes import find_classes
from carrel.config.schema import Settings
from carrel.lib.findings import Finding, doubt
from carrel.spawners.sudo import SudoSpawner
from carrel.spawners.sudo_doctor import examine, helper_text, policy_text, rule_text

_GROUP = "carrel-users"
_ACCOUNT = "carrel"


def examine_sudo(settings: Settings, user: str) -> Iterator[Finding]:
    """Yield what SudoSpawner needs and has not, with `user` as somebody to try it with."""
    classes, _ = find_classes(settings)
    if not any(issubclass(cls, SudoSpawner) for cls in (classes.spawner, *classes.wrapped)):
        yield doubt(
            f"The hub starts servers by {classes.spawner.__name__}, not by Carrel's SudoSpawner",
            "c.JupyterHub.spawner_class = 'sudo'",
        )
    yield from examine(_spawner(settings).helper(), user)


def sudo_text(settings: Settings, what: str, account: str, group: str) -> str:
    """Return the text of the rule, the policy or the helper."""
    spawner = _spawner(settings)
    if what == "--rule":
        return rule_text(spawner.helper(), account or _own_account(), group or _GROUP)
    if what == "--policy":
        return policy_text(_command(spawner), group or _GROUP)
    return helper_text()


def _spawner(settings: Settings) -> SudoSpawner:
    return SudoSpawner(config=settings.plugins)


def _own_account() -> str:
    own = pwd.getpwuid(os.geteuid()).pw_name
    return _ACCOUNT if own == "root" else own


def _command(spawner: SudoSpawner) -> list[str]:
    program, *words = spawner.cmd or ["carrel-singleuser"]
    if "/" not in program:
        program = shutil.which(program) or str(Path(sys.executable).with_name(program))
    return [program, *words]
