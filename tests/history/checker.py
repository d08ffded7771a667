"""Is there an order of overlapping operations that the model allows?

The search keeps every configuration that the past allows: a state, and which of the operations under way have
had their effect already. An operation is given its effect as late as possible: when its end, or that of
another one which needs it, comes. (Wing and Gong 1993, with Lowe's just-in-time order and memory, 2017.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.history.model import Operation, State, step

_SHOWN = 12

Configuration = tuple[State, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Violation:
    """The first operation after which no order is left."""

    operation: Operation
    before: Sequence[Operation]
    """The operations that began before it ended, the last ones."""
    states: Sequence[State]
    """What the server could have been until then."""

    def __str__(self) -> str:
        lines = [f"impossible: {self.operation}", *(f"  after {one}" for one in self.before)]
        return "\n".join([*lines, *(f"  possible: {state}" for state in self.states)])


def check(operations: Sequence[Operation]) -> Violation | None:
    """Return where the history of one server has no explanation, None when it has one."""
    under_way: set[int] = set()
    configurations: set[Configuration] = {(State(), frozenset())}
    for is_end, index in _moments(operations):
        if not is_end:
            under_way.add(index)
            continue
        reached = {
            (state, done - {index}) for state, done in _reach(configurations, index, operations, under_way)
        }
        if operations[index].optional:
            reached |= {(state, done) for state, done in configurations if index not in done}
        if not reached:
            return _violation(operations, index, configurations)
        under_way.discard(index)
        configurations = reached
    return None


def _moments(operations: Sequence[Operation]) -> Iterator[tuple[bool, int]]:
    """Yield beginnings and ends in the order of time; at the same time, what begins comes first."""
    moments = [(one.call, False, index) for index, one in enumerate(operations)]
    moments += [(one.back, True, index) for index, one in enumerate(operations) if one.back < math.inf]
    for _, is_end, index in sorted(moments):
        yield is_end, index


def _reach(
    configurations: set[Configuration], index: int, operations: Sequence[Operation], under_way: set[int]
) -> Iterator[Configuration]:
    """Yield the configurations in which operation `index` has just had its effect, or had it before."""
    seen, ahead = set(configurations), list(configurations)
    while ahead:
        state, done = ahead.pop()
        if index in done:
            yield state, done
            continue
        for other in under_way - done:
            needed = operations[other].after
            if needed is not None and needed in under_way and needed not in done:
                continue
            for following in step(state, operations[other]):
                configuration = (following, done | {other})
                if configuration not in seen:
                    seen.add(configuration)
                    ahead.append(configuration)


def _violation(operations: Sequence[Operation], index: int, configurations: set[Configuration]) -> Violation:
    failed = operations[index]
    others = (one for place, one in enumerate(operations) if place != index and one.call <= failed.back)
    before = sorted(others, key=lambda one: one.call)[-_SHOWN:]
    return Violation(failed, before, sorted({state for state, _ in configurations}, key=str)[:_SHOWN])
