"""What a server is: a row with a wish and a fact, and all that a crash must not lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from carrel.domain.users import User
from carrel.lib.clock import Timestamp


class Wanted(StrEnum):
    """What people ask for; only those who serve HTTP write it."""

    STOPPED = "stopped"
    RUNNING = "running"
    DELETED = "deleted"


class Actual(StrEnum):
    """What is; only the reconciler writes it."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


# Asked for hundreds of times by a page of servers: to look a member up in its class takes as long as a call.
_WANTS_RUNNING = Wanted.RUNNING
_STARTING, _RUNNING, _STOPPING = Actual.STARTING, Actual.RUNNING, Actual.STOPPING
_UNDER_WAY = frozenset({_STARTING, _RUNNING, _STOPPING})
_AT_REST = frozenset({Actual.STOPPED, Actual.FAILED})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last start or run ended: for people."""

    code: str
    """One of those in `domain/causes`; stable. A server that could not be stopped still runs."""
    message: str
    """One sentence."""
    log: str = ""
    """The last lines that the server wrote."""
    hint: str = ""
    """What to do next, when we know."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who is working on a server, until when, and the number that outdates earlier owners."""

    owner: str
    expires: Timestamp
    fence: int


@dataclass(frozen=True, slots=True)
class Server:
    """One server of one user; `name` is empty for the default server."""

    id: int
    user_id: int
    user_name: str
    name: str
    created: Timestamp
    wanted: Wanted = Wanted.STOPPED
    actual: Actual = Actual.STOPPED
    version: int = 0
    """Counts writes; each write is a compare-and-set on it."""
    wanted_generation: int = 0
    """Counts requests to start."""
    generation: int = 0
    """The request that the present or last run answered; the process carries it."""
    lease: Lease | None = None
    deadline: Timestamp | None = None
    """When the present start or stop has taken too long."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """The driver's checkpoint (`Spawner.get_state`)."""
    user_options: Mapping[str, Any] = field(default_factory=dict)
    display_name: str = ""
    url: str = ""
    """Where it answers, scheme to port, as the proxy reaches it; empty when it does not."""
    failure: Failure | None = None
    started: Timestamp | None = None
    last_activity: Timestamp | None = None
    node: str = ""
    """The machine that the present or last run is bound to; empty when any hub may drive it."""
    spawner: str = ""
    """The full name of the class that drives the present or last run; empty where only one was known."""
    profile: str = ""
    """The id of the profile that the present or last run was started with; empty for none."""
    wished: Timestamp = 0.0
    """When the start that is wanted was asked for: who waits longest is served first."""

    @property
    def ready(self) -> bool:
        """It answers and nobody asked it to stop."""
        return self.actual is _RUNNING and self.wanted is _WANTS_RUNNING

    @property
    def active(self) -> bool:
        """Something of it may exist in the world, or is about to."""
        return self.actual in _UNDER_WAY or self.waiting

    @property
    def pending(self) -> str | None:
        """Return `spawn`, `stop` or None, as JupyterHub's API says it."""
        if self.actual is _RUNNING:
            return None if self.wanted is _WANTS_RUNNING else "stop"
        if self.actual is _STARTING:
            return "spawn" if self.wanted is _WANTS_RUNNING else "stop"
        if self.actual is _STOPPING:
            return "stop"
        return "spawn" if self.waiting else None

    @property
    def leaving(self) -> bool:
        """It is to be removed: once it is at rest its row goes."""
        return self.wanted is Wanted.DELETED

    @property
    def waiting(self) -> bool:
        """A start was asked for and has not begun."""
        wanted = self.wanted is _WANTS_RUNNING and self.wanted_generation > self.generation
        return wanted and self.actual in _AT_REST


def never_started(user: User) -> Server:
    """Return a user's default server as it is before there is a row for it; its id is 0."""
    return Server(id=0, user_id=user.id, user_name=user.name, name="", created=user.created)
