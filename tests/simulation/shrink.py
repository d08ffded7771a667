"""From a plan that fails to a small one that fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.database import Template
from tests.simulation.plan import Item, Plan, replace_items
from tests.simulation.run import play

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, template: Template) -> Plan:
    """Return the smallest plan found that fails as `plan` does, or `plan` when it does not fail."""
    found = play(plan, template).violation
    if found is None:
        return plan

    def fails(candidate: Plan) -> bool:
        violation = play(candidate, template).violation
        return violation is not None and violation.kind == found.kind

    for quiet in ({"noisy": False}, {"permuted": False}):
        candidate = replace(plan, profile=replace(plan.profile, **quiet))
        plan = candidate if fails(candidate) else plan
    plan = _fewer(plan, fails)
    for quiet in ({"noisy": False}, {"permuted": False}):
        candidate = replace(plan, profile=replace(plan.profile, **quiet))
        plan = candidate if fails(candidate) else plan
    return replace(plan, note=found.kind)


def _fewer(plan: Plan, fails: Fails) -> Plan:
    """Leave out items, many at a time as long as that works, until each of the rest is needed."""
    size = max(1, len(plan.items) // 2)
    while True:
        before = len(plan.items)
        begin = 0
        while begin < len(plan.items):
            candidate = replace_items(plan, _without(plan.items, begin, size))
            if fails(candidate):
                plan = candidate
            else:
                begin += size
        if size == 1 and len(plan.items) == before:
            return plan
        size = max(1, size // 2)


def _without(items: Sequence[Item], begin: int, size: int) -> Sequence[Item]:
    return [*items[:begin], *items[begin + size :]]
