"""What is counted and timed on this hub, in numbers; `events/exposition.py` writes them for Prometheus.

Names and labels are JupyterHub's. Nobody but the bus and the plumbing of HTTP calls this: use cases and the
life cycle publish `WorkDone`.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from carrel.domain.events import Event, PolicyBroken, Work, WorkDone

USUAL = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_STARTS = (0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0)
_LOOP = (0.05, 0.055, 0.06, 0.065, 0.07, *USUAL[4:])
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_log = logging.getLogger("carrel.events")
#: Reasons may come from drivers: so many are told apart.
_MOST_SERIES = 200


class Histogram:
    """How often durations fell between bounds, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


@dataclass(frozen=True, slots=True)
class Family:
    """Histograms of one name, one for each combination of labels."""

    name: str
    text: str
    labels: tuple[str, ...]
    bounds: Sequence[float]
    series: dict[tuple[str, ...], Histogram]

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        """Note one duration."""
        histogram = self.series.get(labels)
        if histogram is None:
            if len(self.series) >= _MOST_SERIES:
                labels = (*labels[:-1], "other")
            histogram = self.series.setdefault(labels, Histogram(self.bounds))
        histogram.add(seconds)


def _family(
    name: str,
    text: str,
    *known: tuple[str, ...],
    labels: tuple[str, ...] = (),
    bounds: Sequence[float] = USUAL,
) -> Family:
    """Return a family in which the `known` combinations are told from the start, as zero."""
    return Family(name, text, labels, bounds, {each: Histogram(bounds) for each in known})


_BOTH = (("success",), ("failure",))
_STATUS = ("status",)


class Metrics:
    """Everything that is counted on this hub since it started."""

    def __init__(self) -> None:
        self.policy_reports = 0
        self.requests: dict[tuple[str, str, int], Histogram] = {}
        self.loop = _family(
            "event_loop_interval_seconds", "How long the event loop took for a turn", (), bounds=_LOOP
        )
        self.work = _families()

    def heed(self, event: Event) -> None:
        """Count what was done; give this to the bus."""
        if isinstance(event, WorkDone):
            family = self.work[event.work]
            labels = {"status": event.status, "reason": event.reason}
            family.add(tuple(labels[name] for name in family.labels), event.seconds)
        elif isinstance(event, PolicyBroken):
            self.policy_reports += 1

    def request(self, method: str, handler: str, status: int, seconds: float) -> None:
        """Note an answered request. `handler` names our own code, so that there are few."""
        key = (method, handler, status)
        histogram = self.requests.get(key)
        if histogram is None:
            # What strangers call their methods is not kept.
            key = (method if method in _METHODS else "other", handler, status)
            histogram = self.requests.setdefault(key, Histogram(USUAL))
        histogram.add(seconds)

    def families(self) -> Iterator[Family]:
        """Return everything that is timed."""
        by_labels: dict[tuple[str, ...], Histogram] = {
            (method, handler, str(code)): each for (method, handler, code), each in self.requests.items()
        }
        labels, text = ("method", "handler", "code"), "How long requests took"
        yield Family("request_duration_seconds", text, labels, USUAL, by_labels)
        yield from self.work.values()
        yield self.loop

    async def watch_loop(self, pause: float = 0.05, slow: float = 1.0) -> None:
        """Measure the event loop until cancelled: how late it comes back to who asked for a moment.

        It is asked after each `pause` of so many seconds; the log says so when it was `slow` seconds late.
        """
        clock = asyncio.get_running_loop().time
        last = clock()
        while True:
            await asyncio.sleep(pause)
            now = clock()
            late = now - last - pause
            self.loop.add((), max(late, pause))
            if late >= slow:
                _log.warning("The event loop was held up for %.2f seconds", late)
            last = now


def _families() -> dict[Work, Family]:
    starts = (("success", ""), ("failure", ""), ("failure", "throttled"), ("failure", "too-many-users"))
    return {
        Work.START: _family(
            "server_spawn_duration_seconds",
            "How long starts took, from the wish on",
            *starts,
            labels=("status", "reason"),
            bounds=_STARTS,
        ),
        Work.STOP: _family("server_stop_seconds", "How long stops took", *_BOTH, labels=_STATUS),
        Work.POLL: _family(
            "server_poll_duration_seconds",
            "How long it took to ask whether a server runs",
            ("running",),
            ("stopped",),
            ("unknown",),
            labels=_STATUS,
        ),
        Work.LOG_IN: _family("login_duration_seconds", "How long log-ins took", *_BOTH, labels=_STATUS),
        Work.LOG_OUT: _family("logout_duration_seconds", "How long log-outs took", ()),
        Work.ADD_ROUTE: _family(
            "proxy_add_duration_seconds", "How long it took to set a route", *_BOTH, labels=_STATUS
        ),
        Work.REMOVE_ROUTE: _family(
            "proxy_delete_duration_seconds", "How long it took to remove a route", *_BOTH, labels=_STATUS
        ),
        Work.CHECK_ROUTES: _family(
            "check_routes_duration_seconds", "How long it took to make all routes right", ()
        ),
        Work.READ_ROUTES: _family("proxy_poll_duration_seconds", "How long it took to read all routes", ()),
        Work.START_HUB: _family("hub_startup_duration_seconds", "How long the hub took to start", ()),
        Work.FIND_SERVERS: _family(
            "init_spawners_duration_seconds",
            "How long the start of the hub waited for servers to be found again: it does not",
            (),
        ),
    }
