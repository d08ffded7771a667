"""When each route was last used, found by comparing HAProxy's counters with what they were before."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from carrel.lib.clock import Clock, Timestamp

_ROW = re.compile(r"key=(\S+) .*gpc0=(\d+) bytes_in_cnt=(\d+)")


class Seen(msgspec.Struct):
    """What is known of a route: its counters when it was looked at last, and when they moved last."""

    requests: int
    bytes_in: int
    moved: Timestamp


class ActivityRecord:
    """The routes' activity by row, kept in `path` over restarts of the hub."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._seen: dict[str, Seen] | None = None

    def begin(self, row: str) -> None:
        """A route is set now, which counts as a use."""
        counters = self._rows.get(row)
        requests, bytes_in = (counters.requests, counters.bytes_in) if counters else (0, 0)
        self._rows[row] = Seen(requests, bytes_in, self._clock.now())

    def note(self, table: str) -> None:
        """Compare with HAProxy's answer to `show table`."""
        now = self._clock.now()
        for row, requests, bytes_in in _ROW.findall(table):
            seen = self._rows.get(row)
            if seen is not None and (seen.requests, seen.bytes_in) != (int(requests), int(bytes_in)):
                self._rows[row] = Seen(int(requests), int(bytes_in), now)

    def last(self, row: str) -> Timestamp | None:
        """Return when a route was last used, as far as it was looked at; None for an unknown one."""
        seen = self._rows.get(row)
        return None if seen is None else seen.moved

    def content(self, rows: set[str]) -> bytes:
        """Forget all but `rows`, and return what the file should hold."""
        self._seen = {row: seen for row, seen in self._rows.items() if row in rows}
        return msgspec.json.encode(self._seen)

    @property
    def _rows(self) -> dict[str, Seen]:
        if self._seen is None:
            try:
                self._seen = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Seen])
            except (OSError, ValueError):
                # It is a record of moments: without it, every route counts as used when it is seen next.
                self._seen = {}
        return self._seen
