"""What the stand-in for a Kubernetes API server stores, and who is told of changes."""

from __future__ import annotations

import asyncio
import base64
import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
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


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Objects:
    """What the API server stores, and who is told of changes."""

    def __init__(self) -> None:
        self.stored: dict[Place, Json] = {}
        self.history: list[Change] = []
        self.watches: set[Watch] = set()
        self.version = 1000
        self.oldest = 0
        """A watch that begins before this version is told 410."""
        self.deaf = False
        """Watches are told nothing, as through a proxy that has lost them."""

    def put(self, kind: str, body: Json, event: str = "MODIFIED") -> None:
        """Store an object under a new version and tell the watches."""
        self.version += 1
        metadata = body["metadata"]
        metadata["resourceVersion"] = str(self.version)
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        if kind == "secrets":
            given = body.pop("stringData", {})
            body.setdefault("data", {}).update(
                {k: base64.b64encode(v.encode()).decode() for k, v in given.items()}
            )
        place = (kind, metadata.get("namespace", ""), metadata["name"])
        if event == "DELETED":
            self.stored.pop(place, None)
        else:
            self.stored[place] = body
        change = Change(self.version, kind, {"type": event, "object": copy.deepcopy(body)})
        self.history.append(change)
        for watch in self.watches:
            if watch.accepts(kind, body) and not self.deaf:
                watch.queue.put_nowait(change.event)
        if event == "DELETED":
            self._collect_garbage(metadata["uid"])

    def _collect_garbage(self, uid: str) -> None:
        """Delete what is owned by nothing else than an object that has gone."""
        for place, body in list(self.stored.items()):
            owners = body["metadata"].get("ownerReferences") or []
            if owners and all(owner["uid"] == uid for owner in owners):
                self.put(place[0], body, "DELETED")

    def get(self, place: Place) -> Json:
        """Return an object; raise Refused with 404."""
        if place not in self.stored:
            raise Refused(404, "NotFound", f'{place[0]} "{place[2]}" not found')
        return self.stored[place]

    def expire(self) -> None:
        """End every watch as one whose version the server no longer has, and forget the history."""
        self.oldest = self.version
        for watch in self.watches:
            watch.queue.put_nowait({"type": "ERROR", "object": self.expired().status})
            watch.queue.put_nowait(None)

    def expired(self) -> Refused:
        """Return what a watch is told that begins too early."""
        return Refused(410, "Expired", f"too old resource version: 1 ({self.version})")

    def end_watches(self) -> None:
        """Break every watch off, as an API server that is restarted does."""
        for watch in self.watches:
            watch.queue.put_nowait(None)
