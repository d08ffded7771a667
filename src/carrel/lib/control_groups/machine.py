"""What this machine can hold processes to, and groups that do it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.control_groups import systemd, version1, version2
from carrel.lib.control_groups.apart import PARENT
from carrel.lib.control_groups.files import Value
from carrel.lib.control_groups.group import UNIFIED, Group
from carrel.lib.control_groups.hierarchies import Hierarchy, find_hierarchies
from carrel.lib.control_groups.limits import CONTROLLERS, CannotLimit, Limits

_SCOPE_SECONDS = 5.0
_PAUSE = 0.01
_ROUNDING = 1.01


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found; nothing of it changes while a machine runs."""

    hierarchies: tuple[Hierarchy, ...]
    systemd: bool
    """Groups are made by systemd, and it can be asked."""
    root: bool


def probe() -> Machine:
    """Return what this machine has; reads a few files of /proc."""
    root = os.geteuid() == 0
    return Machine(find_hierarchies(), systemd.answers(root=root), root)


def lacking(machine: Machine, limits: Limits) -> dict[str, str]:
    """Return which limits cannot be enforced here and why, as far as that shows without trying."""
    reasons: dict[str, str] = {}
    for controller in limits.controllers:
        reason = _lack_of(machine, controller, limits)
        if reason:
            needing = [name for name, needs in CONTROLLERS.items() if needs == controller]
            reasons |= {name: reason for name in needing if getattr(limits, name) is not None}
    return reasons


def _lack_of(machine: Machine, controller: str, limits: Limits) -> str:
    hierarchy = _home(machine, controller)
    if hierarchy is None:
        return f"this machine has no control groups with the {controller} controller"
    if machine.systemd:
        return ""
    if hierarchy.version == 2:
        if any(version2.may_hand_down(base, [controller]) for base in _bases(hierarchy)):
            return ""
        return f"the hub may not make control groups below {hierarchy.mount}"
    own = hierarchy.own_directory
    if own is None or not os.access(own / PARENT if (own / PARENT).is_dir() else own, os.W_OK):
        return f"the hub may not make control groups below {own or hierarchy.mount}"
    # The group around all others has none.
    needed = [
        each.file
        for each in version1.values(limits)
        if each.controller == controller != "pids" and each.needed
    ]
    missing = next((file for file in needed if not (own / file).exists()), "")
    return f"the kernel does not have {missing}" if missing else ""


def prepare(machine: Machine, name: str, limits: Limits) -> Group:
    """Return a new group with these limits and nobody in it; raise CannotLimit. Not where systemd makes them.

    Names end with the number of a run. What is left of earlier runs is killed first: it would escape.
    """
    homes: dict[str, Hierarchy] = {}
    for controller, limit in limits.controllers.items():
        hierarchy = _home(machine, controller)
        if hierarchy is None:
            raise CannotLimit(limit, _lack_of(machine, controller, limits))
        homes[controller] = hierarchy
    places: dict[str, Path] = {}
    group = Group(places)
    try:
        for key, place in _made(machine, name, limits, homes):
            places[key] = place
        for version, values in ((1, version1.values), (2, version2.values)):
            for value in values(limits):
                if homes[value.controller].version == version:
                    _write(places[value.controller if version == 1 else UNIFIED], value)
    except CannotLimit:
        group.remove()
        raise
    return group


def admit(machine: Machine, pid: int, name: str, limits: Limits) -> Group:
    """Put a process that has not begun into a new group with these limits; raise CannotLimit. Blocks."""
    if machine.systemd:
        return _admit_to_scope(machine, pid, name, limits)
    group = prepare(machine, name, limits)
    try:
        group.join(pid)
    except OSError as error:
        group.remove()
        raise CannotLimit(_first(limits), f"the process cannot be put into its group: {error}") from error
    return group


def find_group(pid: int, name: str) -> Group | None:
    """Return the group called `name` that a process is in, None when it is in none."""
    found: dict[str, Path] = {}
    for hierarchy in find_hierarchies(pid):
        directory = hierarchy.own_directory
        if directory is None or directory.name not in (name, systemd.scope_name(pid, name)):
            continue
        if hierarchy.version == 2:
            # Beside version 1 it only says who belongs together.
            if version2.offered(directory) & set(CONTROLLERS.values()):
                found[UNIFIED] = directory
        else:
            found |= dict.fromkeys(hierarchy.names, directory)
    return Group(found) if found else None


def _home(machine: Machine, controller: str) -> Hierarchy | None:
    """Return where a controller is: of version 1 where it is mounted so, else of version 2."""
    for hierarchy in machine.hierarchies:
        if controller in hierarchy.names:
            return hierarchy
    for hierarchy in machine.hierarchies:
        if hierarchy.version == 2 and any(controller in version2.offered(base) for base in _bases(hierarchy)):
            return hierarchy
    return None


def _bases(hierarchy: Hierarchy) -> list[Path]:
    """Return below which groups of version 2 ours may be, the best first: one that no supervisor ends."""
    own = hierarchy.own_directory
    return list(dict.fromkeys([hierarchy.mount, *([own] if own else [])]))


def _made(
    machine: Machine, name: str, limits: Limits, homes: Mapping[str, Hierarchy]
) -> Iterator[tuple[str, Path]]:
    """Yield the directories of a new group as they are made."""
    unified = [controller for controller, home in homes.items() if home.version == 2]
    if unified:
        limit = limits.controllers[unified[0]]
        yield UNIFIED, _new(limit, _unified_parent(homes[unified[0]], unified, limits) / name)
    for controller, home in homes.items():
        if home.version == 1:
            limit = limits.controllers[controller]
            if home.own_directory is None:
                raise CannotLimit(limit, "the hub cannot see its own control group")
            yield controller, _new(limit, home.own_directory / PARENT / name)
    for controller in () if unified else version1.COUNTED:
        counting = None if controller in homes else _home(machine, controller)
        if counting is not None and counting.version == 1 and counting.own_directory is not None:
            with contextlib.suppress(CannotLimit):
                yield controller, _new("", counting.own_directory / PARENT / name)


def _new(limit: str, directory: Path) -> Path:
    try:
        for old in _earlier(directory):
            left = Group({UNIFIED if (old / "cgroup.controllers").exists() else "": old})
            left.end()
            left.remove()
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the control group {directory} cannot be made: {error.strerror}"
        raise CannotLimit(limit, reason) from error
    return directory


def _earlier(directory: Path) -> list[Path]:
    """Return the directories of this name, and of the same one with a lower number at its end."""
    stem, _, number = directory.name.rpartition("-")
    found = [directory] if directory.is_dir() else []
    for place in directory.parent.glob(f"{stem}-*") if stem and number.isdecimal() else ():
        own = place.name.removeprefix(f"{stem}-")
        if own.isdecimal() and int(own) < int(number):
            found.append(place)
    return found


def _unified_parent(hierarchy: Hierarchy, wanted: list[str], limits: Limits) -> Path:
    """Return the directory for our groups of version 2, with the controllers handed down to them."""
    reason = "no group of ours has all of them"
    for base in _bases(hierarchy):
        if not set(wanted) <= version2.offered(base):
            continue
        try:
            version2.hand_down(base, wanted, own=base == hierarchy.own_directory)
            parent = base / PARENT
            parent.mkdir(exist_ok=True)
            version2.hand_down(parent, wanted, own=False)
            if limits.memory_guarantee is not None:
                _protect(parent, hierarchy.mount, limits.memory_guarantee)
            return parent
        except OSError as error:
            reason = str(error)
    controllers = ", ".join(wanted)
    raise CannotLimit(
        limits.controllers[wanted[0]], f"the controllers {controllers} are not to be had: {reason}"
    )


def _protect(parent: Path, mount: Path, wanted: int) -> None:
    granted = version2.protect(parent, mount, wanted)
    if granted < wanted:
        text = f"the groups around the hub are guaranteed {granted} bytes themselves (memory.low)"
        raise CannotLimit("memory_guarantee", text)


def _write(place: Path, value: Value) -> None:
    file = place / value.file
    try:
        if value.needed or file.exists():
            file.write_text(value.text)
    except OSError as error:
        if value.needed:
            reason = f"{file} does not take {value.text}: {error.strerror}"
            raise CannotLimit(value.limit, reason) from error


def _admit_to_scope(machine: Machine, pid: int, name: str, limits: Limits) -> Group:
    try:
        systemd.make_scope(pid, name, root=machine.root, limits=limits)
    except OSError as error:
        raise CannotLimit(_first(limits), f"systemd does not make a scope with it: {error}") from error
    deadline = time.monotonic() + _SCOPE_SECONDS
    # The answer comes when the work begins, and it is done for one controller after the other.
    while True:
        group = find_group(pid, name)
        missing = _not_in_force(group.in_force() if group else Limits(), limits)
        if group is not None and not missing:
            return group
        if time.monotonic() > deadline:
            limit = next(iter(missing), _first(limits))
            raise CannotLimit(limit, "systemd makes no scope with it: its user may lack this controller")
        time.sleep(_PAUSE)


def _not_in_force(found: Limits, wanted: Limits) -> list[str]:
    missing = []
    for limit in ("memory", "cpu", "pids"):
        most, has = getattr(wanted, limit), getattr(found, limit)
        if most is not None and (has is None or has > most * _ROUNDING):
            missing.append(limit)
    return missing


def _first(limits: Limits) -> str:
    return next(iter(limits.controllers.values()))
