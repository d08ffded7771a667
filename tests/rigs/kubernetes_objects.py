"""What the stand-in for a Kubernetes API server stores, and who is told of changes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "namespaces": "Namespace",
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "services": "Service",
    "secrets": "Secret",
    "events": "Event",
}
Json = dict[str, Any]
Place = tuple[str, str, str]
"""Kind, namespace, name."""


class Refused(Exception):
    """An answer that is an error, as the API gives it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history that watches follow."""

    version: int
    kind: str
    event: Json


@dataclass(slots=True, eq=False)
class Watch:
    """A client that waits for changes."""

    accepts: Callable[[str, Json], bool]
    queue: asyncio.Queue[Json | None] = field(default_factory=asyncio.Queue)


class Objects:
    """What the API server stores, and who is told of changes."""

    def __init__(self) -> None:
        self.stored: dict[Place, Json] = {}
        self.history: list[Change] = []
        self.watches: set[Watch] = set()
        self.version = 1000

    def put(self, kind: str, body: Json, event: str = "MODIFIED") -> None:
        """Store an object under a new version and tell the watches."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        place = (kind, body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if event == "DELETED":
            self.stored.pop(place, None)
        else:
            self.stored[place] = body
        change = Change(self.version, kind, {"type": event, "object": copy.deepcopy(body)})
        self.history.append(change)
        for watch in self.watches:
            if watch.accepts(kind, body):
                watch.queue.put_nowait(change.event)

    def get(self, place: Place) -> Json:
        """Return an object; raise Refused with 404."""
        if place not in self.stored:
            raise Refused(404, "NotFound", f'{place[0]} "{place[2]}" not found')
        return self.stored[place]

    def expire(self) -> None:
        """End every watch as one whose version the server no longer has."""
        gone = Refused(410, "Expired", f"too old resource version: 1 ({self.version})").status
        for watch in self.watches:
            watch.queue.put_nowait({"type": "ERROR", "object": gone})
            watch.queue.put_nowait(None)
