"""Finding the local processes that carry this hub's labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from carrel.lib.process_table import environ_of, look, running
from carrel.spawners.environment import GENERATION_LABEL, HUB_LABEL, SERVER_LABEL
from carrel.spawners.reports import Orphan

RunKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Labelled:
    key: RunKey
    parent: int
    start_time: str


def find_local_orphans(hub_id: str, known: Collection[RunKey]) -> list[Orphan]:
    """Return the first process of each run of hub `hub_id` that is not `known` by server id and generation.

    What a server starts inherits its labels; such children are not reported while their parent lives. Labels
    are a user's to forge: check whose a process is before you trust it. Reads all of /proc: call it in a
    thread.
    """
    if not hub_id:
        return []
    seen = dict(_labelled(hub_id))
    return [
        Orphan(*process.key, {"pid": pid, "start_time": process.start_time})
        for pid, process in sorted(seen.items())
        if process.key not in known and not _is_child(process, seen)
    ]


def _is_child(process: _Labelled, seen: dict[int, _Labelled]) -> bool:
    parent = seen.get(process.parent)
    return parent is not None and parent.key == process.key


def _labelled(hub_id: str) -> Iterator[tuple[int, _Labelled]]:
    for pid in running():
        environ = environ_of(pid)
        sighting = look(pid) if environ.get(HUB_LABEL) == hub_id else None
        if sighting is None or sighting.state == "Z":
            continue
        server_id, generation = environ.get(SERVER_LABEL, ""), environ.get(GENERATION_LABEL, "")
        if server_id.isdecimal() and generation.isdecimal():
            yield pid, _Labelled((int(server_id), int(generation)), sighting.parent, sighting.start_time)
