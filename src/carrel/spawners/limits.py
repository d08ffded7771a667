"""What a server may use: from a driver's settings to control groups, and back to people's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carrel.config.limits import SETTINGS
from carrel.lib.control_groups.files import Reading
from carrel.lib.control_groups.group import Group
from carrel.lib.control_groups.limits import CannotLimit, Limits
from carrel.spawners.errors import StartError
from carrel.spawners.reports import Usage

_HINT = (
    "The administrator has to run the hub as root or with control groups of its own (Delegate=yes in its unit"
    " of systemd), or to remove the setting."
)


def limits_of(settings: Mapping[str, Any]) -> Limits:
    """Return the limits that settings state by their names; nothing and 0 state none.

    Raises StartError for what cannot be a limit.
    """
    found: dict[str, Any] = {}
    for name, limit in SETTINGS.items():
        value = settings.get(name)
        if not value:
            continue
        if not isinstance(value, int | float) or value < 0:
            text = f"{name} is {value!r}, which is no limit."
            raise StartError(text, hint="The administrator has to set a number, or None for no limit.")
        found[limit] = value
    return Limits(**found)


def refusal(error: CannotLimit) -> StartError:
    """Return what the owner of a server is told when it is not started for want of a limit."""
    setting = next(name for name, limit in SETTINGS.items() if limit == error.limit)
    return StartError(f"The setting {setting} cannot be enforced on this machine: {error}.", hint=_HINT)


@dataclass(slots=True)
class Confinement:
    """The control group of one run; its methods block for moments, except where they say more."""

    group: Group
    last: Reading | None = None
    """What it had used when it was ended."""

    def end(self) -> bool:
        """Kill what is left of the run, and tell whether that is all; takes up to 5 seconds. May be repeated.

        Whatever a server started ends with it: it would escape the limits of the next run.
        """
        if self.last is None:
            self.last = self.group.read()
        return self.group.end()

    def usage(self) -> Usage:
        """Return what the run uses now."""
        seen, limits = self.group.read(), self.group.in_force()
        return Usage(
            memory=seen.memory,
            cpu=seen.cpu,
            processes=seen.pids,
            killed=seen.killed,
            refused=seen.refused,
            memory_limit=limits.memory,
            process_limit=limits.pids,
        )

    def findings(self, status: int | None) -> dict[str, str]:
        """Return what explains the end of a server with this exit status, None for an unknown one."""
        seen = self.last or self.group.read()
        found = {}
        # Of a server that ended in another way, the kernel had only killed a program that ran in it.
        if seen.killed and status in (None, -9, 137):
            found["oom"] = "limit" if seen.at_limit else "machine"
        if seen.refused:
            found["forks"] = str(seen.refused)
        return found
