"""The files of a control group: values to write, numbers to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: How long a period of CPU quotas is, in microseconds; the kernel's own default.
PERIOD = 100_000
#: The least quota that the kernel takes, in microseconds.
LEAST_QUOTA = 1_000


@dataclass(frozen=True, slots=True)
class Value:
    """A text for a file of a group."""

    limit: str
    """The field of Limits that it is for."""
    controller: str
    file: str
    text: str
    needed: bool = True
    """False for what some machines do not have and do well without."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a group has used so far; None is unknown."""

    memory: int | None = None
    """Bytes, without what the kernel would give back at once."""
    cpu: float | None = None
    """Seconds."""
    pids: int | None = None
    killed: int = 0
    """How many processes the kernel has killed for want of memory."""
    at_limit: bool = False
    """It was the group's own limit that they came up against, not the end of the machine's memory."""
    refused: int = 0
    """How often it may not have had one more process or thread."""


def quota(cpus: float) -> int:
    """Return how many microseconds of each period so many CPUs are."""
    return max(LEAST_QUOTA, round(cpus * PERIOD))


def read_number(path: Path) -> int | None:
    """Return the number in a file; None for `max` and for a file that cannot be read."""
    text = read_text(path).strip()
    return int(text) if text.lstrip("-").isdecimal() else None


def read_table(path: Path) -> dict[str, int]:
    """Return the lines `name number` of a file; empty when it cannot be read."""
    pairs = (line.split() for line in read_text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdecimal()}


def read_text(path: Path) -> str:
    """Return what is in a file, nothing when it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
