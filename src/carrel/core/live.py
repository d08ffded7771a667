"""The drivers of runs that are under way in this hub process.

A plug-in may keep on itself what it likes, from a start to the polls and the stop after it. A driver
therefore lives as long as its run, in the hub process that works on it. What has to outlive that process must
be in `get_state()`: after a restart, and on another hub, a driver is built from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from carrel.domain.servers import Server
from carrel.spawners.base import Spawner


@dataclass(frozen=True, slots=True)
class _Kept:
    user_id: int
    name: str
    generation: int
    mark: bytes
    driver: Spawner


class LiveDrivers:
    """At most one driver for each server: that of its present run."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def keep(self, server: Server, driver: Spawner) -> None:
        """Use `driver` from now on for the run that `server` is in, and whose state it knows.

        Whoever still has the row of an earlier run does not take the present one's driver away.
        """
        kept = self._kept.get(server.id)
        if kept is None or kept.generation <= server.generation:
            self._kept[server.id] = _Kept(
                server.user_id, server.name, server.generation, _mark(server.state), driver
            )

    def get(self, server: Server) -> Spawner | None:
        """Return the driver of the run that `server` is in, if this process has it.

        One that knows another state than the row is none: another hub has worked on the run since.
        """
        kept = self._kept.get(server.id)
        if kept is None or kept.generation != server.generation or kept.mark != _mark(server.state):
            return None
        return kept.driver

    def of_user(self, user_id: int) -> Mapping[str, Spawner]:
        """Return the drivers of a user's servers that this process has, by the servers' names."""
        return {kept.name: kept.driver for kept in self._kept.values() if kept.user_id == user_id}

    def forget(self, server_id: int, generation: int | None = None) -> None:
        """Drop the driver of a run that is over or that somebody else works on; may be repeated.

        That of an earlier run goes, too; without a generation it is that of whichever run.
        """
        kept = self._kept.get(server_id)
        if kept is not None and (generation is None or kept.generation <= generation):
            del self._kept[server_id]

    def doubt(self, server: Server) -> None:
        """Drop a driver that failed, when a fresh one could do its work: it may be broken itself."""
        if server.state:
            self.forget(server.id, server.generation)


def _mark(state: Mapping[str, Any]) -> bytes:
    """Return a state as the database has it: what is a tuple in a driver comes back as a list."""
    return msgspec.json.encode(state, order="sorted")
