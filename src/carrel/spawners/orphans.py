"""Finding the local processes that carry this hub's labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from carrel.lib.process_table import (
    Process,
    environ_of,
    is_alive,
    look,
    owner_of,
    parse_environ,
    raw_environ,
    running,
)
from carrel.spawners.environment import GENERATION_LABEL, HUB_LABEL, PID_LABEL, SERVER_LABEL
from carrel.spawners.reports import Orphan

RunKey = tuple[int, int]
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class _Labelled:
    key: RunKey
    parent: int
    start_time: str
    environ: Mapping[str, str]


def find_local_orphans(hub_id: str, known: Collection[RunKey]) -> list[Orphan]:
    """Return the processes of this hub's runs that are not `known` by server id and generation.

    What a server starts inherits its labels. Such processes are reported only when they are left over in the
    server's own process group: what a user put into the background on purpose, in a session of its own, is no
    orphan. Labels are a user's to forge: see `is_server`. Reads all of /proc: call it in a thread.
    """
    if not hub_id:
        return []
    seen = dict(_labelled(hub_id, known))
    return [_orphan(pid, process) for pid, process in sorted(seen.items()) if not _is_child(process, seen)]


def is_server(process: Process, uid: int, labels: Mapping[str, str]) -> bool:
    """Tell whether `process` runs with exactly this uid and carries all of these labels.

    A program that changes its user keeps its environment: without the uid, a service that an administrator
    restarts from a notebook would pass for the notebook.
    """
    environ = environ_of(process.pid)
    labelled = all(environ.get(key) == value for key, value in labels.items())
    # Looked at last: were the pid another's by now, this would say so.
    return labelled and owner_of(process.pid) == uid and is_alive(process)


def _orphan(pid: int, process: _Labelled) -> Orphan:
    state = {"pid": pid, "start_time": process.start_time, "port": _port(process.environ)}
    return Orphan(*process.key, state, user_name=process.environ.get("JUPYTERHUB_USER", ""))


def _port(environ: Mapping[str, str]) -> int:
    try:
        return urlsplit(environ.get("JUPYTERHUB_SERVICE_URL", "")).port or 0
    except ValueError:
        return 0


def _is_child(process: _Labelled, seen: Mapping[int, _Labelled]) -> bool:
    parent = seen.get(process.parent)
    return parent is not None and parent.key == process.key


def _labelled(hub_id: str, known: Collection[RunKey]) -> Iterator[tuple[int, _Labelled]]:
    needle = f"{HUB_LABEL}={hub_id}".encode()
    for pid in running():
        raw = raw_environ(pid)
        # Most processes are none of ours or well known: nothing more is read of them.
        environ = parse_environ(raw) if needle in raw else {}
        key = _key(environ) if environ.get(HUB_LABEL) == hub_id else None
        sighting = look(pid) if key is not None and key not in known else None
        if key is None or sighting is None or sighting.state == "Z":
            continue
        if environ.get(PID_LABEL, str(sighting.group)) == str(sighting.group):
            yield pid, _Labelled(key, sighting.parent, sighting.start_time, environ)


def _key(environ: Mapping[str, str]) -> RunKey | None:
    numbers = [environ.get(SERVER_LABEL, ""), environ.get(GENERATION_LABEL, "")]
    if not all(text.isdecimal() and len(text) <= _MOST_DIGITS for text in numbers):
        return None
    return int(numbers[0]), int(numbers[1])
