"""Counters under configurable-http-proxy's names, in Prometheus' text format on a listener of their own."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from carrel.dataplane.control_server import Call
from carrel.dataplane.replies import Reply
from carrel.lib.clock import SystemClock

_QUANTILES = (0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999)
_SAMPLES = 1000
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Summary:
    """How long something took: sum and number of all, quantiles of the last thousand."""

    __slots__ = ("count", "recent", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.recent: deque[float] = deque(maxlen=_SAMPLES)

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self.count += 1
        self.sum += seconds
        self.recent.append(seconds)

    def told(self) -> Timing:
        """Return it for another process."""
        return Timing(self.count, self.sum, list(self.recent))

    def join(self, timing: Timing) -> None:
        """Count what another process has timed."""
        self.count += timing.count
        self.sum += timing.sum
        self.recent.extend(timing.recent)

    def quantile(self, part: float) -> float:
        """Return the duration that `part` of the recent ones do not exceed; 0 without any."""
        ordered = sorted(self.recent)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class Timing(msgspec.Struct, frozen=True, array_like=True):
    """A summary as one process tells it to another."""

    count: int
    sum: float
    recent: list[float]


@dataclass(frozen=True, slots=True)
class Others:
    """The processes beside this one; the user and system CPU seconds of all that there ever were."""

    pids: tuple[int, ...] = ()
    cpu: tuple[float, float] = (0.0, 0.0)


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """What a process that forwards has counted since it last told."""

    web: int
    websockets: int
    answers: dict[int, int]
    find: Timing
    touch: Timing


class Metrics:
    """What was counted since the start."""

    __slots__ = ("_others", "answers", "api", "api_calls", "find", "touch", "web", "websockets")

    def __init__(self, others: Callable[[], Others] = Others) -> None:
        self._others = others
        self.web = self.websockets = 0
        self.answers: Counter[int] = Counter()
        self.api: Counter[int] = Counter()
        self.api_calls: Counter[str] = Counter()
        self.find = Summary()
        self.touch = Summary()

    def answer(self, call: Call) -> Reply:
        """Answer a call to the metrics' listener."""
        if call.path != "/metrics":
            return Reply(404, b"Not Found")
        if call.method not in ("GET", "HEAD"):
            return Reply(405, b"Method not supported")
        return Reply(200, self.render().encode(), _TYPE)

    def called(self, method: str, path: str, status: int) -> None:
        """Note an answered call to the REST API."""
        self.api[status] += 1
        if path.startswith("/api/routes"):
            self.api_calls[method] += 1

    def counts(self) -> Counts:
        """Return what was counted of the public listener."""
        answers = dict(self.answers)
        return Counts(self.web, self.websockets, answers, self.find.told(), self.touch.told())

    def add(self, counts: Counts) -> None:
        """Count what another process has counted."""
        self.web += counts.web
        self.websockets += counts.websockets
        self.answers.update(counts.answers)
        self.find.join(counts.find)
        self.touch.join(counts.touch)

    def render(self) -> str:
        """Return everything in the text format."""
        return "\n".join([*_process(self._others()), *self._own(), ""])

    def _own(self) -> Iterator[str]:
        calls = self.api_calls
        yield from _plain("api_route_get", "Calls that read routes", calls["GET"])
        yield from _plain("api_route_add", "Calls that add a route", calls["POST"])
        yield from _plain("api_route_delete", "Calls that remove a route", calls["DELETE"])
        yield from _summary("find_target_for_req", "Seconds to find a request's route", self.find)
        yield from _summary("last_activity_updating", "Seconds to note a route's activity", self.touch)
        yield from _plain("requests_ws", "Requests for a websocket or another upgrade", self.websockets)
        yield from _plain("requests_web", "Requests for anything else", self.web)
        yield from _by_status("requests_proxy", "Answers of the public listener", self.answers)
        yield from _by_status("requests_api", "Answers of the REST API", self.api)


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _plain(name: str, text: str, value: float, kind: str = "counter") -> Iterable[str]:
    return [*_head(name, text, kind), f"{name} {value}"]


def _by_status(name: str, text: str, counts: Counter[int]) -> Iterable[str]:
    lines = [f'{name}{{status="{status}"}} {count}' for status, count in sorted(counts.items())]
    return [*_head(name, text, "counter"), *lines]


def _summary(name: str, text: str, summary: Summary) -> Iterable[str]:
    quantiles = [f'{name}{{quantile="{part}"}} {summary.quantile(part)}' for part in _QUANTILES]
    ends = [f"{name}_sum {summary.sum}", f"{name}_count {summary.count}"]
    return [*_head(name, text, "summary"), *quantiles, *ends]


def _process(others: Others) -> Iterator[str]:
    """Tell about all processes together; the start and the limit are those of this one."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    user, system = used.ru_utime + others.cpu[0], used.ru_stime + others.cpu[1]
    yield from _plain("process_cpu_user_seconds_total", "User CPU time in seconds", user)
    yield from _plain("process_cpu_system_seconds_total", "System CPU time in seconds", system)
    yield from _plain("process_cpu_seconds_total", "CPU time in seconds", user + system)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield from _plain("process_max_fds", "Descriptors that may be open", limit, "gauge")
    own = _Process.read("self")
    if own is None:
        return
    there = [own, *filter(None, (_Process.read(str(pid)) for pid in others.pids))]
    yield from _plain("process_start_time_seconds", "Start, in Unix seconds", own.started, "gauge")
    resident, virtual, descriptors = (
        sum(column) for column in zip(*(one.sizes for one in there), strict=True)
    )
    yield from _plain("process_resident_memory_bytes", "Resident memory in bytes", resident, "gauge")
    yield from _plain("process_virtual_memory_bytes", "Virtual memory in bytes", virtual, "gauge")
    yield from _plain("process_open_fds", "Open descriptors", descriptors, "gauge")


@dataclass(frozen=True, slots=True)
class _Process:
    started: int
    #: Resident and virtual bytes, and open descriptors.
    sizes: tuple[int, int, int]

    @classmethod
    def read(cls, pid: str) -> _Process | None:
        """Return what /proc says; None for a process that is gone, or without /proc."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            boot = SystemClock().now() - time.clock_gettime(time.CLOCK_BOOTTIME)
            descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        except (OSError, AttributeError):
            return None
        started = round(boot + int(stat[19]) / os.sysconf("SC_CLK_TCK"))
        return cls(started, (int(stat[21]) * os.sysconf("SC_PAGE_SIZE"), int(stat[20]), descriptors))
