"""How long a start may take: what its settings say, and what it waits in the queue of its back end.

The time-outs of a start begin once more when it leaves that queue: who has waited for days is not given up
because a machine is slow for a minute then.
"""

from __future__ import annotations

from carrel.domain.servers import Server
from carrel.lib.clock import Clock, Timestamp
from carrel.spawners.base import Spawner

#: How long a server that does not answer may be looked at, in seconds.
EXAMINATION = 10.0
#: What a start may take beyond the driver's own time-outs before the sweeper ends it, in seconds: one that
#: does not answer is looked at before anybody says so.
_MARGIN = EXAMINATION + 5.0
#: How long a wait may last that may take as long as it takes, in seconds.
_NEVER = 10 * 365 * 86400.0
#: How often it is looked whether a wait in the queue is over, in seconds.
_TICK = 1.0


def allowed(driver: Spawner) -> float:
    """Return how long a start may take in all, by what its driver is set to now, in seconds."""
    return float(driver.start_timeout) + float(driver.http_timeout) + _MARGIN


class Patience:
    """The limits of one start. Hooks, and the driver itself, may change the settings they are made of."""

    def __init__(self, driver: Spawner, clock: Clock, row: Server, *, resumed: bool = False) -> None:
        self._driver = driver
        self._clock = clock
        self._resumed = resumed
        now = clock.now()
        # When the time-outs began; of one in the queue, when they will begin at the latest.
        self._since: Timestamp = (row.deadline or now) - allowed(driver)
        self._began = clock.monotonic() + self._since - now
        #: Only a hub that saw it in the queue can have written such a deadline.
        self.queued = resumed and driver.queue_timeout is not None and self._since > now

    @property
    def deadline(self) -> Timestamp:
        """When the start has taken too long, for the row."""
        return self._since + allowed(self._driver)

    @property
    def limit(self) -> float:
        """The setting that counts now, in seconds."""
        return float(self._driver.queue_timeout if self.queued else self._driver.start_timeout)

    def left(self) -> float:
        """Return for how many seconds nothing is too late; ask again then."""
        left = self._began - self._clock.monotonic()
        return min(left, _TICK) if self.queued else left + float(self._driver.start_timeout)

    def enter_queue(self) -> bool:
        """The start waits in the queue; tell whether that changes the deadline. May be repeated."""
        timeout = self._driver.queue_timeout
        # Who takes a start over must not start a clock again, and nobody knows how long it has waited.
        if self.queued or timeout is None or (self._resumed and timeout > 0):
            return False
        self._begin_in(timeout or _NEVER)
        self.queued = True
        return True

    def leave_queue(self) -> bool:
        """The start does not wait in the queue; tell whether that changes the deadline. May be repeated."""
        if not self.queued:
            return False
        self._begin_in(0.0)
        self.queued = False
        return True

    def _begin_in(self, seconds: float) -> None:
        self._since = self._clock.now() + seconds
        self._began = self._clock.monotonic() + seconds
