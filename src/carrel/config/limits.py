"""Limits that are set for servers, and whether this machine can hold servers to them."""

from __future__ import annotations

from carrel.config.chosen import Chosen, lineage
from carrel.config.schema import Problem
from carrel.lib.control_groups import machine
from carrel.lib.control_groups.limits import Limits

#: Which limit each setting states.
SETTINGS = {
    "mem_limit": "memory",
    "mem_guarantee": "memory_guarantee",
    "cpu_limit": "cpu",
    "cpu_guarantee": "cpu_guarantee",
    "pids_limit": "pids",
}


def find_unenforced(chosen: Chosen) -> list[Problem]:
    """Return the limits of local servers that cannot be enforced here, as far as looking tells."""
    kinds = lineage(chosen.spawner)
    # One that starts servers by a helper holds them to limits by its helper, if at all.
    if "LocalProcessSpawner" not in kinds or "SudoSpawner" in kinds:
        return []
    wanted = {limit: name for name, limit in SETTINGS.items() if chosen.of_spawner(name)}
    if not wanted:
        return []
    # How much it is does not matter before something is written.
    lacks = machine.lacking(machine.probe(), Limits(**dict.fromkeys(wanted, 1)))
    return [
        chosen.problem(
            chosen.written(chosen.spawner, wanted[limit]),
            f"this machine cannot enforce it, and no server starts with it: {why}. Run the hub as root or"
            " with control groups of its own (Delegate=yes in its unit of systemd), or remove the setting",
            "contradiction",
        )
        for limit, why in lacks.items()
    ]
