"""What stands for warm starts until they are loaded can do all that they can."""

from __future__ import annotations

import inspect
from pathlib import Path

from carrel.spawners.warm import WarmStarts
from carrel.spawners.warm_later import LaterWarmStarts


def public(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")}


def test_it_has_every_method() -> None:
    assert public(LaterWarmStarts) == public(WarmStarts)


async def test_it_counts_and_ends_what_nobody_has_started(tmp_path: Path) -> None:
    warm = LaterWarmStarts(tmp_path / "warm")
    await warm.close(end=True)
    assert {measure.value for measure in warm.measures()} == {0}
    await warm.close(end=False)
