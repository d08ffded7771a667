"""Limits and views that are set for servers, and whether this machine can hold servers to them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from carrel.config.chosen import Chosen, lineage
from carrel.config.schema import Problem
from carrel.lib.control_groups import machine
from carrel.lib.control_groups.limits import Limits
from carrel.lib.mounts import View

#: Which limit each setting states.
SETTINGS = {
    "mem_limit": "memory",
    "mem_guarantee": "memory_guarantee",
    "cpu_limit": "cpu",
    "cpu_guarantee": "cpu_guarantee",
    "pids_limit": "pids",
}
#: The settings of what servers see of the file system.
VIEWS = ("private_tmp", "private_devices", "read_only_paths", "hidden_paths")


def find_unenforced(chosen: Chosen) -> list[Problem]:
    """Return what is set to confine local servers and cannot be enforced here, as far as looking tells."""
    kinds = lineage(chosen.spawner)
    # One that starts servers by a helper holds them to limits by its helper, if at all.
    if "LocalProcessSpawner" not in kinds or "SudoSpawner" in kinds:
        return []
    return [*_limits(chosen), *(_homes(chosen) if os.geteuid() == 0 else _views(chosen))]


def _limits(chosen: Chosen) -> Iterator[Problem]:
    wanted = {limit: name for name, limit in SETTINGS.items() if chosen.of_spawner(name)}
    if not wanted:
        return
    # How much it is does not matter before something is written.
    lacks = machine.lacking(machine.probe(), Limits(**dict.fromkeys(wanted, 1)))
    for limit, why in lacks.items():
        yield chosen.problem(
            chosen.written(chosen.spawner, wanted[limit]),
            f"this machine cannot enforce it, and no server starts with it: {why}. Run the hub as root or"
            " with control groups of its own (Delegate=yes in its unit of systemd), or remove the setting",
            "contradiction",
        )


def _views(chosen: Chosen) -> Iterator[Problem]:
    for name in VIEWS:
        if chosen.of_spawner(name):
            text = "only a hub that is root can do it, and no server starts with it: remove the setting"
            yield chosen.problem(chosen.written(chosen.spawner, name), text, "contradiction")


def _homes(chosen: Chosen) -> Iterator[Problem]:
    """Yield what would hide the homes that the configuration places, as each start would find."""
    homes = chosen.of_spawner("home_dir_template")
    if not isinstance(homes, str) or not os.path.isabs(homes):
        return
    for name, view in {
        "private_tmp": View(private_tmp=bool(chosen.of_spawner("private_tmp"))),
        "hidden_paths": View(hidden=tuple(filter(os.path.isabs, chosen.of_spawner("hidden_paths") or ()))),
    }.items():
        if covered := view.replaces(homes):
            text = (
                f"no server starts with it: homes are at {homes}, and {covered} would hide them."
                " Set home_dir_template to another place, or remove the setting"
            )
            yield chosen.problem(chosen.written(chosen.spawner, name), text, "contradiction")
