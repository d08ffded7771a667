"""What the processes of one group may use together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may use, and what it is sure to get; None is as much as there is."""

    memory: int | None = None
    """Bytes. Nothing of it is swapped out to make room for more."""
    memory_guarantee: int | None = None
    """Bytes that are not taken away for others as long as these have anything else to give."""
    cpu: float | None = None
    """CPUs: 1.5 is a whole one and half of another."""
    cpu_guarantee: float | None = None
    """CPUs; when there are too few, groups share what there is in this proportion, 1 being usual."""
    pids: int | None = None
    """Processes and threads."""

    def __bool__(self) -> bool:
        return self != NO_LIMITS

    @property
    def controllers(self) -> dict[str, str]:
        """Return which controllers they take, each with the first limit that needs it."""
        found: dict[str, str] = {}
        for name, controller in CONTROLLERS.items():
            if getattr(self, name) is not None:
                found.setdefault(controller, name)
        return found


CONTROLLERS = {
    "memory": "memory",
    "memory_guarantee": "memory",
    "cpu": "cpu",
    "cpu_guarantee": "cpu",
    "pids": "pids",
}
"""Which controller enforces which limit."""
NO_LIMITS = Limits()


class CannotLimit(Exception):
    """A limit cannot be enforced: `limit` names the field of Limits, the text says why."""

    def __init__(self, limit: str, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit
