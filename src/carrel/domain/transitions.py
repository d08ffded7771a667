"""The life of a server as one pure table: what to do next for a row."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from carrel.domain.hubs import node_of
from carrel.domain.servers import Actual, Server, Wanted
from carrel.lib.clock import Timestamp


class Action(StrEnum):
    """What the reconciler does with a server now."""

    NONE = "none"
    START = "start"
    RECOVER = "recover"
    """Somebody died in the middle of a start: adopt what came of it, or clean up."""
    ABORT = "abort"
    """The start has taken too long."""
    CANCEL = "cancel"
    """The start is no longer wanted."""
    POLL = "poll"
    STOP = "stop"
    FORCE = "force"
    """The stop has taken too long."""
    DELETE = "delete"


def next_action(server: Server, now: Timestamp, owner: str) -> Action:
    """Return what `owner` should do with `server`.

    Whether a poll is due is the poller's business: a running server always answers POLL. What is bound to
    another machine is left alone, since nothing can be known of it here.
    """
    if is_elsewhere(server, node_of(owner)):
        return Action.NONE
    match server.actual:
        case Actual.STOPPED | Actual.FAILED:
            return _at_rest(server, now, owner)
        case Actual.STARTING:
            return _starting(server, now, owner)
        case Actual.RUNNING:
            return Action.POLL if server.wanted is Wanted.RUNNING else Action.STOP
        case Actual.STOPPING:
            return _stopping(server, now, owner)


def is_elsewhere(server: Server, node: str) -> bool:
    """Tell whether something of a server may exist on another machine than `node`, in reach of no other."""
    at_rest = server.actual in (Actual.STOPPED, Actual.FAILED)
    return bool(server.node) and not at_rest and server.node != node


def _at_rest(server: Server, now: Timestamp, owner: str) -> Action:
    if server.wanted is Wanted.DELETED:
        return Action.NONE if _held_by_another(server, now, owner) else Action.DELETE
    if server.wanted is Wanted.RUNNING and server.wanted_generation > server.generation:
        return Action.START
    return Action.NONE


def _starting(server: Server, now: Timestamp, owner: str) -> Action:
    if _held_by_another(server, now, owner):
        return Action.NONE
    if server.wanted is not Wanted.RUNNING:
        return Action.CANCEL
    if server.deadline is not None and now >= server.deadline:
        return Action.ABORT
    return Action.NONE if _held(server, now, owner) else Action.RECOVER


def _stopping(server: Server, now: Timestamp, owner: str) -> Action:
    if _held_by_another(server, now, owner):
        return Action.NONE
    if server.deadline is not None and now >= server.deadline:
        return Action.FORCE
    return Action.NONE if _held(server, now, owner) else Action.STOP


def _held(server: Server, now: Timestamp, owner: str) -> bool:
    """Tell whether `owner` works on it; a lease that has expired holds nothing, whoever has it."""
    lease = server.lease
    return lease is not None and lease.owner == owner and lease.expires > now


def _held_by_another(server: Server, now: Timestamp, owner: str) -> bool:
    lease = server.lease
    return lease is not None and lease.owner != owner and lease.expires > now


def ask_start(server: Server, now: Timestamp) -> Server:
    """Return `server` with a start asked for at `now`; unchanged when it runs or is about to."""
    if server.wanted is Wanted.RUNNING and (server.actual is Actual.RUNNING or server.pending == "spawn"):
        return server
    if server.actual in (Actual.STARTING, Actual.RUNNING):
        # A stop was asked for and has not begun: the last wish wins and the run goes on.
        return replace(server, wanted=Wanted.RUNNING)
    return replace(
        server,
        wanted=Wanted.RUNNING,
        wanted_generation=server.wanted_generation + 1,
        wished=now,
        failure=None,
    )


def ask_stop(server: Server, *, delete: bool = False) -> Server:
    """Return `server` with a stop (or its removal) asked for; what is to be removed stays so."""
    if server.wanted is Wanted.DELETED:
        return server
    wish = Wanted.DELETED if delete else Wanted.STOPPED
    return server if server.wanted is wish else replace(server, wanted=wish)
