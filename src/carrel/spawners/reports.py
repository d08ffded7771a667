"""What a driver tells the hub beyond alive or dead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_EXIT_CODE = re.compile(r"\bExit(?:ed)?[ _]?Code['\"]?\s*[=:]\s*(-?\d{1,5})\b", re.IGNORECASE)


def exit_status(answer: Any) -> int | None:
    """Return what a poll's answer says: None while the server lives, else its status, 0 when that is unknown.

    Drivers of containers answer with their engine's words. Raises ValueError for what is no answer.
    """
    if answer is None or isinstance(answer, int):
        return None if answer is None else int(answer)
    if not isinstance(answer, str) or not answer:
        raise ValueError(f"poll() answered {answer!r:.80}, which is neither None nor an exit status")
    code = _EXIT_CODE.search(answer)
    if code is not None:
        return int(code[1])
    return int(answer) if re.fullmatch(r"-?\d{1,5}", answer) else 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server uses now; None is unknown."""

    memory: int | None = None
    """Bytes."""
    cpu: float | None = None
    """Seconds of CPU since its start."""
    processes: int | None = None
    """Processes and threads, where those are counted; else processes."""
    killed: int = 0
    """How many of its processes the kernel has killed for want of memory."""
    refused: int = 0
    """How often it may not have had one process more."""
    memory_limit: int | None = None
    """Bytes that it may use."""
    process_limit: int | None = None
    """Processes and threads that it may have."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a start stands in the queue of its back end; None is unknown."""

    ahead: int | None = None
    """How many are before it."""
    expected: float | None = None
    """When the back end expects to begin it, in seconds since the epoch."""
    reason: str = ""
    """Why it waits, a sentence for its owner."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of this hub's that runs in the world and that no row is known for."""

    server_id: int
    generation: int
    state: Mapping[str, Any]
    """What `load_state` takes, to poll it or to stop it."""
    user_name: str = ""
    """Whose it says that it is, when it says so; for runs whose row is gone."""
    spawner: str = ""
    """The full name of the class that found it. The hub says it, no driver has to."""
