"""What happened: one kind each, published on the bus after the transaction that made it true."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from carrel.domain.servers import Failure
from carrel.lib.clock import Timestamp


class ServerChanged(Struct, frozen=True):
    """A server's row was written: its wish, its state or its failure."""

    server_id: int
    user_name: str
    server_name: str


class ServerProgress(Struct, frozen=True):
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


class ServerSpoke(Struct, frozen=True):
    """A server has told on which port it listens; who starts it wants to know."""

    server_id: int
    generation: int
    port: int


class RightsChanged(Struct, frozen=True):
    """What a user may do has changed, or one of their tokens or sessions has ended."""

    user_id: int


class GroupChanged(Struct, frozen=True):
    """Users have joined or left a group, or it is gone: who may do things to its members has others now."""

    name: str


class RolesChanged(Struct, frozen=True):
    """What roles give, or who has them, has changed for many at once."""


class ClientEnded(Struct, frozen=True):
    """An OAuth client is gone, and with it the tokens that its visitors' browsers got."""

    client_id: str


class ServiceChanged(Struct, frozen=True):
    """A service has come, changed or gone, or one of its tokens has."""

    service_id: int


class RouteMissing(Struct, frozen=True):
    """The hub itself was asked for a page of a server: its route may be missing."""

    user_name: str
    server_name: str


class RoutesDoubted(Struct, frozen=True):
    """Somebody asks for the table of routes to be compared with the rows."""


class OrphanFound(Struct, frozen=True):
    """Something ran that no row had a checkpoint of."""

    server_id: int
    generation: int
    adopted: bool
    """Its row still waited for it; else it was ended."""


class HubsChanged(Struct, frozen=True):
    """A hub of the database has come or gone."""


class EventsMissed(Struct, frozen=True):
    """Other hubs may have announced what this one did not hear: look at everything. It stays on this hub."""


class ShutdownWanted(Struct, frozen=True):
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


class WorkDone(Struct, frozen=True):
    """Something that is timed has ended. It stays on this hub: each counts its own work."""

    work: Work
    seconds: float
    status: str = "success"
    """`success` or `failure`; of a poll, what it found."""
    reason: str = ""
    """Why a start has failed, as a code."""


class PolicyBroken(Struct, frozen=True):
    """A browser has reported that a page wanted what its policy forbids. It stays on this hub."""


class ServerActed(Struct, frozen=True):
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
