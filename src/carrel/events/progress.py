"""What the current start of each server has said so far, for those who come to watch later."""

from __future__ import annotations

from carrel.domain.events import ServerProgress
from carrel.events.bus import Bus

_KEPT_PER_START = 200
_KEPT_STARTS = 10_000


class ProgressLog:
    """Keeps the messages of the latest start of every server, and publishes each on the bus.

    It is a convenience for watchers and dies with the process; the outcome is in the server's row.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._starts: dict[int, list[ServerProgress]] = {}

    def say(self, step: ServerProgress) -> None:
        """Record and publish a step; a step of a newer start forgets the older one's.

        Where a start stands in a queue takes the place of where it stood.
        """
        if step.server_id not in self._starts and len(self._starts) >= _KEPT_STARTS:
            del self._starts[next(iter(self._starts))]
        steps = self._starts.setdefault(step.server_id, [])
        if steps and steps[-1].generation != step.generation:
            steps.clear()
        if step.queued and steps and steps[-1].queued:
            steps[-1] = step
        elif len(steps) < _KEPT_PER_START:
            steps.append(step)
        self._bus.publish(step)

    def of(self, server_id: int, generation: int) -> tuple[ServerProgress, ...]:
        """Return what start `generation` of a server has said so far."""
        return tuple(step for step in self._starts.get(server_id, ()) if step.generation == generation)

    def standing(self, server_id: int, generation: int) -> ServerProgress | None:
        """Return how start `generation` of a server stands in the queue of its back end, None outside one."""
        steps = (step for step in reversed(self._starts.get(server_id, ())) if step.generation == generation)
        last = next((step for step in steps if step.queued is not None), None)
        return last if last is not None and last.queued else None

    def forget(self, server_id: int) -> None:
        """Drop what is kept of a server."""
        self._starts.pop(server_id, None)
