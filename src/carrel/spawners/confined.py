"""What local servers may use and see: the settings, and the control group of a run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from traitlets import Bool, HasTraits, Integer, List, Unicode

from carrel.config.limits import SETTINGS, VIEWS
from carrel.lib import mounts
from carrel.lib.control_groups import machine
from carrel.lib.control_groups.group import Group
from carrel.lib.control_groups.limits import CannotLimit, Limits
from carrel.lib.mounts import CannotShow, View
from carrel.lib.processes import Program
from carrel.spawners.errors import StartError
from carrel.spawners.limits import Confinement, limits_of, refusal

_HINT = (
    "The administrator has to run the hub as root (read_only_paths: on Linux 5.12 or later), or change {}."
)


class Confined(HasTraits):
    """The part of a driver of local processes that confines them."""

    pids_limit: Any = Integer(
        None, allow_none=True, help="The most processes and threads that a server may have."
    ).tag(config=True)
    private_tmp = Bool(
        False, help="Give each server an empty /tmp and /var/tmp of its own, in memory; the hub must be root."
    ).tag(config=True)
    private_devices = Bool(
        False,
        help="Show servers no devices but null, random, terminals and the like; the hub must be root.",
    ).tag(config=True)
    read_only_paths: Any = List(
        Unicode(), help="Where servers cannot write, nor below; {username} is expanded. The hub must be root."
    ).tag(config=True)
    hidden_paths: Any = List(
        Unicode(), help="Files and directories that servers find empty; {username} is expanded. As above."
    ).tag(config=True)

    _confinement: Confinement | None = None

    def _limits(self) -> Limits:
        """Return what a server may use; raises StartError for what cannot be a limit."""
        return limits_of({name: getattr(self, name) for name in SETTINGS})

    def _view(self) -> View:
        """Return what a server sees of the file system; raises StartError."""
        return View(
            self.private_tmp,
            self.private_devices,
            tuple(map(self._path, self.read_only_paths)),
            tuple(map(self._path, self.hidden_paths)),
        )

    def _path(self, template: str) -> str:
        path = str(self.format_string(template))  # type: ignore[attr-defined]
        if not os.path.isabs(path):
            raise StartError(
                f"The path {path} is not absolute.",
                hint="The administrator has to correct read_only_paths or hidden_paths of the spawner.",
            )
        return path

    def _confined(self, program: Program, group_name: str) -> Program:
        """Return a program that will be held to the limits and have the view that the settings say.

        Raises StartError for settings that cannot be meant; what the machine cannot do shows at the start.
        """
        limits, view = self._limits(), self._view()
        if covered := view.replaces(program.home):
            raise StartError(
                f"The home directory {program.home} would be hidden: it is below {covered}.",
                hint="The administrator has to change private_tmp, hidden_paths or where homes are.",
            )
        if limits:
            program = replace(program, admit=partial(self._admit, group_name, limits))
        return replace(program, surround=partial(mounts.enter, view)) if view else program

    def _admit(self, group_name: str, limits: Limits, pid: int) -> None:
        self._confinement = Confinement(machine.admit(machine.probe(), pid, group_name, limits))

    def _refused(self, error: CannotLimit | CannotShow) -> StartError:
        """Return what the owner is told when a program was not started because it cannot be confined."""
        if isinstance(error, CannotLimit):
            return refusal(error)
        names = [name for name in VIEWS if getattr(self, name)]
        text = f"The server cannot have {error}. It is set by {', '.join(names)}."
        return StartError(text, hint=_HINT.format("them" if len(names) > 1 else "it"))

    async def _find_confinement(self, pid: int, group_name: str) -> None:
        """Take over the group in which a process is that nobody had a note of."""
        group = await asyncio.to_thread(machine.find_group, pid, group_name)
        self._confinement = None if group is None else Confinement(group)

    async def _end_confined(self) -> bool:
        """Kill what is left of a run with limits and tell whether nothing is; may be repeated."""
        confinement = self._confinement
        return confinement is None or await asyncio.to_thread(confinement.end)

    async def findings(self) -> Mapping[str, str]:
        """Return what the kernel did to the server at its limits."""
        confinement = self._confinement
        if confinement is None:
            return {}
        return await asyncio.to_thread(confinement.findings, getattr(self, "_exit_status", None))

    @property
    def _is_apart(self) -> bool:
        """Tell whether the group with limits also keeps the server apart from the hub's."""
        return self._confinement is not None and self._confinement.group.keeps_apart

    def _group_state(self) -> dict[str, Any]:
        """Return the part of a checkpoint that finds the group again."""
        return {} if self._confinement is None else {"group": self._confinement.group.as_state()}

    def _load_group(self, state: Mapping[str, Any]) -> None:
        """Take over that part of a checkpoint."""
        group = Group.of_state(state.get("group"))
        self._confinement = None if group is None else Confinement(group)

    def _remove_group(self) -> None:
        """Remove the group of a run that has ended; may be repeated."""
        if self._confinement is not None:
            self._confinement.group.remove()
