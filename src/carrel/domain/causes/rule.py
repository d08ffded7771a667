"""One known cause of a failure: by what it is recognised, and what people are told of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """How far a run had come."""

    WAITING = "waiting"
    """It was wanted, and nothing of it had begun."""
    OPTIONS = "options"
    """The chosen options were applied."""
    HOOK = "hook"
    """A hook of the deployer's ran."""
    START = "start"
    """The spawner started it."""
    READY = "ready"
    """It was started and had not answered yet."""
    RUNNING = "running"
    STOP = "stop"
    """It was to end."""


class End(StrEnum):
    """What ended it."""

    RAISED = "raised"
    """An exception."""
    ENDED = "ended"
    """The server itself: it is gone."""
    LATE = "late"
    """A time limit."""
    SILENT = "silent"
    """It lives and gives no good answer."""
    LOST = "lost"
    """The hub was away when it happened."""
    REFUSED = "refused"
    """The hub did not let it begin."""


BEFORE_ANSWER = frozenset({Stage.START, Stage.READY})
"""A driver's start may wait for much of what the server does."""
BY_SERVER = frozenset({End.ENDED, End.SILENT, End.LATE})
"""The server's own words count, and nothing that the hub or a driver raised."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A cause. It fits when everything holds that it states; what it leaves out may be anything.

    `message` and `hint` are templates: the names in braces are the groups of the patterns, then the facts of
    the evidence.
    """

    code: str
    """Stable: programs may rely on it."""
    message: str
    """One sentence."""
    hint: str
    """The next step, in one or two sentences."""
    says: str | tuple[str, ...] = ()
    """Patterns, each of which is in what was raised or in the log; `^` is a line's start, case is one."""
    stages: Collection[Stage] = frozenset(Stage)
    ends: Collection[End] = frozenset(End)
    status: Collection[int] = ()
    """Exit statuses; a signal is negative here, however the driver writes it."""
    error: str = ""
    """A pattern for the whole name of the exception's class."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Patterns for whole facts that have to be there."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return what has to be said, as patterns."""
        return (self.says,) if isinstance(self.says, str) else self.says
