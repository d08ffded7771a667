"""The benchmark of the API against real hubs, with as little work as it can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import equip, stub
from bench.api.cases import CASES
from bench.api.rounds import Amounts, measure_empty, measure_full
from bench.api.worlds import prepare
from bench.population import Size
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

LITTLE = Amounts(seconds=0.05, warm_up=0.01, rounds=1)
SIZE = Size(users=400, running=10, members=20)


def test_everything_is_measured_of_carrel(tmp_path: Path) -> None:
    with stub() as port:
        system = equip(carrel(), port)
        prepared = prepare(system, SIZE, tmp_path, port)
        found = measure_full(prepared, port, CASES, (1, 3), LITTLE) | measure_empty(system)
        assert prepare(system, SIZE, tmp_path, port) == prepared
    cases = {f"{case.name}/{count}/{what}" for case in CASES for count in (1, 3) for what in ("cpu", "p99")}
    assert cases | {"full/start_cpu", "full/memory_after", "empty/start_wall"} <= found.keys()
    assert all(value > 0 for name, value in found.items() if not name.endswith("/cpu"))
    assert len(prepared.world.own) == 300
