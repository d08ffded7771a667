"""Countable resources that a server has to itself: which there are, who has them, whose turn it is.

A lease belongs to a run, a place in the line to a wish: either is valid as long as the server's row is in
that run, or waits for that start. So nothing has to be given back, and a crash loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.lib.clock import Timestamp

#: Kind to the names of the devices.
Pools = Mapping[str, Sequence[str]]
#: Kind to how many.
Need = Mapping[str, int]
#: Kind to the names of those that a run has.
Devices = Mapping[str, Sequence[str]]
_ABBREVIATIONS = frozenset({"fpga", "gpu", "npu", "tpu"})


@dataclass(frozen=True, slots=True)
class DeviceLease:
    """One device that a run has."""

    kind: str
    device: str
    server_id: int
    generation: int


@dataclass(frozen=True, slots=True)
class DeviceWait:
    """A start that waits for devices."""

    server_id: int
    wished: Timestamp
    need: Need


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """How long the line is before a start that waits for devices."""

    kinds: Sequence[str]
    ahead: int


def title_of(kind: str) -> str:
    """Return what people are told that a kind of devices is called: `GPU` for `gpu` and `nvidia.com/gpu`."""
    short = kind.rpartition("/")[2]
    return short.upper() if short in _ABBREVIATIONS else short


def pools_of(setting: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the pools that a setting describes; a number stands for as many that have no names of their own.

    Raises ValueError for what describes none.
    """
    pools: dict[str, tuple[str, ...]] = {}
    for kind, described in setting.items():
        if isinstance(described, int) and not isinstance(described, bool) and described >= 0:
            names = [str(number) for number in range(1, described + 1)]
        elif isinstance(described, list | tuple) and all(isinstance(name, str | int) for name in described):
            names = list(map(str, described))
        else:
            raise ValueError(f"{kind!r} has to be a list of names, or a number, not {described!r}")
        if not isinstance(kind, str) or not kind or len(set(names)) < len(names) or "" in names:
            raise ValueError(
                f"{kind!r} has no name, or a device that is there twice or has none: {described!r}"
            )
        pools[kind] = tuple(names)
    return pools


def need_of(value: object) -> dict[str, int]:
    """Return what `Spawner.devices` asks for, without zeros; raise ValueError when it makes no sense."""
    if not isinstance(value, Mapping):
        raise ValueError(f"Spawner.devices has to be like {{'gpu': 1}}, not {value!r}")
    for kind, number in value.items():
        if type(number) is not int or number < 0 or not isinstance(kind, str):
            raise ValueError(f"Spawner.devices: {kind!r} has to have a number, not {number!r}")
    return {kind: number for kind, number in value.items() if number}


def why_never(pools: Pools, need: Need) -> str:
    """Return why a need can never be met, empty when it can."""
    for kind, number in sorted(need.items()):
        if kind not in pools:
            return f"there is no device {kind!r} in c.Carrel.device_pools"
        if number > len(pools[kind]):
            return f"{number} of {kind!r} are asked for, and c.Carrel.device_pools has {len(pools[kind])}"
    return ""


def serve(pools: Pools, leases: Collection[DeviceLease], waits: Sequence[DeviceWait]) -> dict[int, Devices]:
    """Return which of those who wait can be served now, by server id, and with what.

    First come, first served, for each kind: who stands in the line for a kind is before all who came later
    and need some of it, also while something else that they need is missing. So nobody waits for ever. Whose
    need can never be met keeps nobody waiting, and is served with nothing: it is told so.
    """
    taken = {(lease.kind, lease.device) for lease in leases}
    free = {kind: [name for name in names if (kind, name) not in taken] for kind, names in pools.items()}
    blocked: set[str] = set()
    served: dict[int, Devices] = {}
    for wait in sorted(waits, key=lambda each: (each.wished, each.server_id)):
        if why_never(pools, wait.need):
            served[wait.server_id] = {}
        elif blocked.isdisjoint(wait.need) and all(len(free[kind]) >= n for kind, n in wait.need.items()):
            served[wait.server_id] = {kind: tuple(free[kind][:n]) for kind, n in wait.need.items()}
            free |= {kind: free[kind][n:] for kind, n in wait.need.items()}
        else:
            blocked |= wait.need.keys()
    return served


def standing_of(waits: Sequence[DeviceWait], server_id: int) -> DeviceStanding | None:
    """Return how many stand before a start in the lines for what it needs; None for one that is in none."""
    mine = next((wait for wait in waits if wait.server_id == server_id), None)
    if mine is None:
        return None
    place = (mine.wished, mine.server_id)
    before = [wait for wait in waits if (wait.wished, wait.server_id) < place]
    return DeviceStanding(
        sorted(mine.need), sum(not mine.need.keys().isdisjoint(wait.need) for wait in before)
    )


def environment_of(variables: Mapping[str, str], devices: Devices) -> dict[str, str]:
    """Return the variables that tell a server which devices it has: of kinds that it has none of, empty ones.

    A program that finds no such variable may take all devices of the machine.
    """
    return {name: ",".join(devices.get(kind, ())) for kind, name in variables.items()}
