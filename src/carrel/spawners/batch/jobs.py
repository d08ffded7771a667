"""What a batch system says of a job, in one form for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class JobState(Enum):
    """How far a job is."""

    PENDING = "pending"
    RUNNING = "running"
    STUCK = "stuck"
    """It will not begin before somebody mends something."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the batch system knows it."""

    id: str
    state: JobState
    word: str = ""
    """The system's own word for the state: TIMEOUT, Eqw."""
    host: str = ""
    """Where it runs."""
    reason: str = ""
    """Why it waits, or why it has ended, as the system says it."""
    queue: str = ""
    name: str = ""
    user: str = ""
    expected: float | None = None
    """When it is expected to begin, in seconds since the epoch."""
    status: int | None = None
    """Its exit status, once it has ended."""


Jobs = Mapping[str, Job]
"""Jobs by their ids."""


class Unclear(Exception):
    """The batch system gave no usable answer: nothing is known, and nothing may be concluded."""
