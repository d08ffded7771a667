"""What happened: one dataclass each, published on the bus after the transaction that made it true."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """What a user may do has changed, or one of their tokens or sessions has ended."""

    user_id: int


@dataclass(frozen=True, slots=True)
class ClientEnded:
    """An OAuth client is gone, and with it the tokens that its visitors' browsers got."""

    client_id: str


@dataclass(frozen=True, slots=True)
class RouteMissing:
    """The hub itself was asked for a page of a server: its route may be missing."""

    user_name: str
    server_name: str


@dataclass(frozen=True, slots=True)
class ShutdownWanted:
    """Somebody asked for this hub's end; None leaves it to the settings what ends with it."""

    proxy: bool | None = None
    servers: bool | None = None


Event = ServerChanged | ServerProgress | RightsChanged | ClientEnded | RouteMissing | ShutdownWanted
