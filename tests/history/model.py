"""One server, one thing after the other: what may happen, and what is true afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What happened to a server: what somebody asked, what somebody was told, what a process did."""

    ASK_START = "a start was accepted"
    ASK_STOP = "a stop was accepted"
    SEEN_READY = "it was said to be ready"
    SEEN_STARTING = "it was said to be starting"
    SEEN_STOPPING = "it was said to be stopping"
    SEEN_GONE = "it was said to be stopped"
    BEGAN = "a process began"
    ENDED = "a process ended"


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that took effect at one moment between `call` and `back`, in seconds of any one clock."""

    kind: Kind
    call: float
    back: float = math.inf
    generation: int = 0
    """Of the process that began or ended."""
    optional: bool = False
    """The answer was lost: it may have had no effect."""
    after: int | None = None
    """The index of an operation of the same history that must have had its effect before."""

    def __str__(self) -> str:
        run = f" of generation {self.generation}" if self.generation else ""
        doubt = ", perhaps" if self.optional else ""
        return f"{self.call:.3f}-{self.back:.3f} {self.kind}{run}{doubt}"


@dataclass(frozen=True, slots=True)
class State:
    """All that the model remembers of a server."""

    wanted: bool = False
    requested: int = 0
    """The generation of the last accepted start."""
    begun: int = 0
    """The last generation of which there was a process."""
    live: int = 0
    """The generation of the process that lives, 0 for none."""
    over: int = 0
    """Nothing of this generation or an earlier one may begin any more."""


def step(state: State, operation: Operation) -> Iterator[State]:
    """Yield each state that `operation` may lead to; nothing when it may not happen."""
    match operation.kind:
        case Kind.ASK_START:
            yield from _ask_start(state)
        case Kind.ASK_STOP:
            yield replace(state, wanted=False)
        case Kind.BEGAN:
            asked_for = max(state.begun, state.over) < operation.generation <= state.requested
            if asked_for and not state.live:
                yield replace(state, live=operation.generation, begun=operation.generation)
        case Kind.ENDED:
            if state.live == operation.generation:
                yield replace(state, live=0)
        case seen:
            if _may_be_seen(state, seen):
                # A start that failed counts as over, like a stop.
                gone = replace(state, wanted=False, over=state.requested)
                yield gone if seen is Kind.SEEN_GONE else state


def _ask_start(state: State) -> Iterator[State]:
    if state.wanted:
        yield state  # It joins the start that is under way.
    if not state.live:
        # The run before is over: it was stopped, or it failed without a word to anybody.
        yield replace(state, wanted=True, requested=state.requested + 1, over=state.requested)


def _may_be_seen(state: State, seen: Kind) -> bool:
    match seen:
        case Kind.SEEN_READY:
            return state.wanted and state.live == state.requested
        case Kind.SEEN_STARTING:
            return state.wanted and state.live in (0, state.requested)
        case Kind.SEEN_STOPPING:
            return not state.wanted
        case _:
            return not state.live
