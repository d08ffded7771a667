"""The spawners whose start is under way at this hub, for plug-ins that are told by a server where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from carrel.domain.servers import Server
from carrel.spawners.base import Spawner


class Starts:
    """Live spawners by their servers; whoever runs a start puts its spawner here for as long as it runs."""

    def __init__(self) -> None:
        self._live: dict[int, dict[str, Spawner]] = {}

    @contextmanager
    def running(self, server: Server, spawner: Spawner) -> Iterator[None]:
        """Keep the spawner of a start while the block runs."""
        of_user = self._live.setdefault(server.user_id, {})
        of_user[server.name] = spawner
        try:
            yield
        finally:
            # A newer start of the same server may have taken the place.
            if of_user.get(server.name) is spawner:
                del of_user[server.name]
            if not of_user and self._live.get(server.user_id) is of_user:
                del self._live[server.user_id]

    def of_user(self, user_id: int) -> Mapping[str, Spawner]:
        """Return the live spawners of a user, by the servers' names; a copy."""
        return dict(self._live.get(user_id, ()))
