"""One minute of hostile traffic leaves nothing open; `make bench-leaks` is the long run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.leaks import FLAGS, find_leaks, soak
from tests.dataplane.harness import proxy

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]


@pytest.mark.parametrize(("workers", "seconds"), [(1, 60), (2, 30)])
async def test_hostile_traffic_leaves_nothing(tmp_path: Path, workers: int, seconds: float) -> None:
    async with proxy(tmp_path, *FLAGS, workers=workers) as front:
        before, after, clients = await soak(front, seconds, seed=1)
        # The allocator's pools fill within the first minute: only the long run can hold memory to 2 %.
        assert find_leaks(before, after, 0.25) == []
        assert clients > 100
        assert (await front.get("/none")).status == 404
