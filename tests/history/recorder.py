"""Writing down what REST answered and what processes did, in the model's terms."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.history.checker import Violation, check
from tests.history.model import Kind, Operation

#: What is said of a start that is not accepted, and what that tells of the server.
_REFUSALS = {"already running": Kind.SEEN_READY, "pending stop": Kind.SEEN_STOPPING}
_LOST = (None, 502, 503, 504)


def _is_lost(status: int | None, message: str) -> bool:
    """Tell whether nobody knows what came of a request: a hub that stops breaks off those under way."""
    return status in _LOST or (status == 500 and '"status"' not in message)


class History:
    """The operations of any number of servers, each known by any name; times are in seconds of `now`."""

    def __init__(self) -> None:
        self._operations: defaultdict[str, list[Operation]] = defaultdict(list)

    @staticmethod
    def now() -> float:
        """Return seconds since the machine was started: a clock that all its processes share."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def __len__(self) -> int:
        return sum(map(len, self._operations.values()))

    def of(self, server: str) -> list[Operation]:
        """Return the operations of one server, as they were written down."""
        return list(self._operations[server])

    def start(
        self, server: str, call: float, status: int | None, message: str = "", by: float = math.inf
    ) -> None:
        """Note the answer to a POST that was sent at `call` and answered just now; None for no answer.

        One without an answer had its effect before `by`, if any: when the hub that had it is dead, say.
        Raises ValueError for an answer that no hub should give.
        """
        if _is_lost(status, message):
            self._add(server, Operation(Kind.ASK_START, call, by, optional=True))
        elif status == 400:
            seen = next((kind for text, kind in _REFUSALS.items() if text in message), None)
            if seen is None:
                raise ValueError(f"a start of {server} was refused: {message}")
            self._add(server, Operation(seen, call, self.now()))
        elif status in (201, 202, 500):
            asked = self._add(server, Operation(Kind.ASK_START, call, self.now()))
            if status != 202:
                seen = Kind.SEEN_READY if status == 201 else Kind.SEEN_GONE
                self._add(server, Operation(seen, call, self.now(), after=asked))
        else:
            raise ValueError(f"a start of {server} was answered {status}: {message}")

    def stop(
        self, server: str, call: float, status: int | None, message: str = "", by: float = math.inf
    ) -> None:
        """Note the answer to a DELETE, as `start` does that to a POST."""
        if _is_lost(status, message):
            self._add(server, Operation(Kind.ASK_STOP, call, by, optional=True))
        elif status in (202, 204):
            asked = self._add(server, Operation(Kind.ASK_STOP, call, self.now()))
            if status == 204:
                self._add(server, Operation(Kind.SEEN_GONE, call, self.now(), after=asked))
        else:
            raise ValueError(f"a stop of {server} was answered {status}")

    def look(self, server: str, call: float, model: Mapping[str, Any] | None) -> None:
        """Note what a GET that was sent at `call` said of the server; None when it is in no list."""
        if model is None:
            kind = Kind.SEEN_GONE
        elif model.get("ready"):
            kind = Kind.SEEN_READY
        else:
            pending = {"spawn": Kind.SEEN_STARTING, "stop": Kind.SEEN_STOPPING}
            kind = pending.get(str(model.get("pending")), Kind.SEEN_GONE)
        self._add(server, Operation(kind, call, self.now()))

    def began(self, server: str, generation: int, earliest: float, latest: float) -> None:
        """Note that a process of this generation began."""
        self._add(server, Operation(Kind.BEGAN, earliest, latest, generation))

    def ended(self, server: str, generation: int, earliest: float, latest: float) -> None:
        """Note that the process of this generation ended."""
        self._add(server, Operation(Kind.ENDED, earliest, max(earliest, latest), generation))

    def problems(self) -> dict[str, Violation]:
        """Return the servers whose history has no explanation, with the place where it ends."""
        found = {server: check(operations) for server, operations in self._operations.items()}
        return {server: violation for server, violation in found.items() if violation is not None}

    def _add(self, server: str, operation: Operation) -> int:
        self._operations[server].append(operation)
        return len(self._operations[server]) - 1
