"""Where the servers of a run are, and who knows what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.rigs import processes
from tests.rigs.hub import HubProcess

Run = tuple[int, int]


def runs_of_processes(hub: HubProcess) -> Iterator[Run]:
    """Yield the run of each live process that carries this hub's label."""
    for pid in hub.servers():
        environ = processes.environment(pid)
        if not environ:
            continue  # It has just ended.
        yield int(environ["CARREL_SERVER_ID"]), int(environ["CARREL_GENERATION"])


def _spared(hub: HubProcess) -> None:
    return


def _nothing(diary: Path, stub: Path) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Site:
    """Processes of this machine, unless it is told otherwise."""

    config: Callable[[Path, Path], str] = _nothing
    """Returns more lines of configuration, from the paths of the diary and of the stub server."""
    live_runs: Callable[[HubProcess], Iterable[Run]] = runs_of_processes
    """Says which runs live, as who starts them knows."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the hub needs in its environment."""
    strike: Callable[[HubProcess], None] = _spared
    """Kills what may be killed besides, when hub and data plane are."""
