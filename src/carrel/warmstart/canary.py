"""Whether a forked process is what a started one would be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BEGIN = '{"facts"'
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Report:
    """What one probe printed."""

    facts: Mapping[str, Any]
    fresh: Sequence[str]


def read_report(text: str) -> Report | None:
    """Return what a probe printed; None when it printed nothing of the kind."""
    lines = [line for line in text.splitlines() if line.startswith(_BEGIN)]
    if not lines:
        return None
    found = json.loads(lines[-1])
    return Report(found["facts"], found["fresh"])


def compare(forked: Sequence[Report], started: Report) -> list[str]:
    """Return the differences, for the log; empty when there are none."""
    found = [text for report in forked for text in _unlike("", report.facts, started.facts)]
    for values in zip(*(report.fresh for report in (*forked, started)), strict=True):
        if len(set(values)) != len(values):
            found.append(f"random values are the same in several processes: {values[0]}")
    return list(dict.fromkeys(found))


def _unlike(name: str, forked: Any, started: Any) -> Iterator[str]:
    if forked == started:
        return
    if isinstance(forked, dict) and isinstance(started, dict):
        for key in sorted({*forked, *started}):
            yield from _unlike(f"{name} {key}".strip(), forked.get(key), started.get(key))
        return
    yield f"{name}: {json.dumps(forked)[:_LONGEST]} instead of {json.dumps(started)[:_LONGEST]}"
