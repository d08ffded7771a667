"""What happened: one dataclass each, published on the bus after the transaction that made it true."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from carrel.domain.servers import Failure
from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class ServerChanged:
    """A server's row was written: its wish, its state or its failure."""

    server_id: int
    user_name: str
    server_name: str


@dataclass(frozen=True, slots=True)
class ServerProgress:
    """A step of a start, for whoever watches it."""

    server_id: int
    generation: int
    progress: int
    """0 to 100."""
    message: str
    html_message: str = ""
    failed: bool = False
    ready: bool = False
    failure: Failure | None = None
    """Why, when it has failed."""
    queued: bool | None = None
    """True while it waits in the queue of its back end, False when that is over."""
    ahead: int | None = None
    """How many are before it there."""
    expected: Timestamp | None = None
    """When the back end expects to begin it."""


@dataclass(frozen=True, slots=True)
class ServerSpoke:
    """A server has told on which port it listens; who starts it wants to know."""

    server_id: int
    generation: int
    port: int


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """What a user may do has changed, or one of their tokens or sessions has ended."""

    user_id: int


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """Users have joined or left a group, or it is gone: who may do things to its members has others now."""

    name: str


@dataclass(frozen=True, slots=True)
class RolesChanged:
    """What roles give, or who has them, has changed for many at once."""


@dataclass(frozen=True, slots=True)
class ClientEnded:
    """An OAuth client is gone, and with it the tokens that its visitors' browsers got."""

    client_id: str


@dataclass(frozen=True, slots=True)
class ServiceChanged:
    """A service has come, changed or gone, or one of its tokens has."""

    service_id: int


@dataclass(frozen=True, slots=True)
class RouteMissing:
    """The hub itself was asked for a page of a server: its route may be missing."""

    user_name: str
    server_name: str


@dataclass(frozen=True, slots=True)
class RoutesDoubted:
    """Somebody asks for the table of routes to be compared with the rows."""


@dataclass(frozen=True, slots=True)
class OrphanFound:
    """Something ran that no row had a checkpoint of."""

    server_id: int
    generation: int
    adopted: bool
    """Its row still waited for it; else it was ended."""


@dataclass(frozen=True, slots=True)
class HubsChanged:
    """A hub of the database has come or gone."""


@dataclass(frozen=True, slots=True)
class EventsMissed:
    """Other hubs may have announced what this one did not hear: look at everything. It stays on this hub."""


@dataclass(frozen=True, slots=True)
class ShutdownWanted:
    """Somebody asked for the end of this hub; None leaves it to the settings what ends with it.

    It stays on this hub.
    """

    proxy: bool | None = None
    servers: bool | None = None


class Work(StrEnum):
    """What is timed."""

    START = "start"
    """Of a server, from the wish on."""
    STOP = "stop"
    POLL = "poll"
    LOG_IN = "log in"
    LOG_OUT = "log out"
    ADD_ROUTE = "add a route"
    REMOVE_ROUTE = "remove a route"
    CHECK_ROUTES = "check all routes"
    READ_ROUTES = "read all routes"
    START_HUB = "start the hub"
    FIND_SERVERS = "find servers again"


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Something that is timed has ended. It stays on this hub: each counts its own work."""

    work: Work
    seconds: float
    status: str = "success"
    """`success` or `failure`; of a poll, what it found."""
    reason: str = ""
    """Why a start has failed, as a code."""


@dataclass(frozen=True, slots=True)
class PolicyBroken:
    """A browser has reported that a page wanted what its policy forbids. It stays on this hub."""


@dataclass(frozen=True, slots=True)
class ServerActed:
    """A server was started or stopped, because somebody had asked for it. It stays on this hub."""

    action: Literal["start", "stop"]
    user_name: str
    server_name: str


Event = (
    ServerChanged
    | ServerProgress
    | ServerSpoke
    | RightsChanged
    | GroupChanged
    | RolesChanged
    | ClientEnded
    | ServiceChanged
    | RouteMissing
    | RoutesDoubted
    | OrphanFound
    | HubsChanged
    | EventsMissed
    | ShutdownWanted
    | WorkDone
    | PolicyBroken
    | ServerActed
)
