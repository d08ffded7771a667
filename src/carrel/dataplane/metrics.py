"""Counters under configurable-http-proxy's names, in Prometheus' text format on a listener of their own."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path

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

    def quantile(self, part: float) -> float:
        """Return the duration that `part` of the recent ones do not exceed; 0 without any."""
        ordered = sorted(self.recent)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class Metrics:
    """What was counted since the start."""

    __slots__ = ("answers", "api", "api_calls", "find", "touch", "web", "websockets")

    def __init__(self) -> None:
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

    def render(self) -> str:
        """Return everything in the text format."""
        return "\n".join([*_process(), *self._own(), ""])

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


def _process() -> Iterator[str]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    user, system = used.ru_utime, used.ru_stime
    yield from _plain("process_cpu_user_seconds_total", "User CPU time in seconds", user)
    yield from _plain("process_cpu_system_seconds_total", "System CPU time in seconds", system)
    yield from _plain("process_cpu_seconds_total", "CPU time in seconds", user + system)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield from _plain("process_max_fds", "Descriptors that may be open", limit, "gauge")
    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        boot = SystemClock().now() - time.clock_gettime(time.CLOCK_BOOTTIME)
        descriptors = len(os.listdir("/proc/self/fd"))
    except (OSError, AttributeError):
        return
    started = boot + int(stat[19]) / os.sysconf("SC_CLK_TCK")
    resident = int(stat[21]) * os.sysconf("SC_PAGE_SIZE")
    yield from _plain("process_start_time_seconds", "Start, in Unix seconds", round(started), "gauge")
    yield from _plain("process_resident_memory_bytes", "Resident memory in bytes", resident, "gauge")
    yield from _plain("process_virtual_memory_bytes", "Virtual memory in bytes", int(stat[20]), "gauge")
    yield from _plain("process_open_fds", "Open descriptors", descriptors, "gauge")
