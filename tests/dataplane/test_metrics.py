"""Counts of several processes together."""

from __future__ import annotations

import os

from carrel.dataplane.load import Load, total
from carrel.dataplane.metrics import Metrics, Others


def test_counts_of_others_are_added() -> None:
    ours, theirs = Metrics(), Metrics()
    ours.answers[200] = 1
    ours.find.add(1.0)
    theirs.web, theirs.websockets = 5, 2
    theirs.answers.update({200: 4, 404: 1})
    theirs.find.add(3.0)
    theirs.touch.add(0.5)
    ours.add(theirs.counts())
    assert (ours.web, ours.websockets) == (5, 2)
    assert ours.answers == {200: 5, 404: 1}
    assert (ours.find.count, ours.find.sum, ours.find.quantile(0.99)) == (2, 4.0, 3.0)
    assert ours.touch.count == 1


def test_loads_add_up_and_nobody_has_none() -> None:
    assert total([Load(1, 2, 3, 4, 5), Load(10, 0, 1, 0, 1)]) == Load(11, 2, 4, 4, 6)
    assert total([]) == Load()


def test_the_process_is_all_processes() -> None:
    def value(metrics: Metrics, name: str) -> float:
        (line,) = [line for line in metrics.render().splitlines() if line.startswith(name + " ")]
        return float(line.split()[1])

    alone = Metrics()
    both = Metrics(lambda: Others((os.getpid(), 2**30), (1000.0, 2000.0)))
    assert value(both, "process_cpu_seconds_total") > value(alone, "process_cpu_seconds_total") + 2999
    memory = value(alone, "process_virtual_memory_bytes")
    assert value(both, "process_virtual_memory_bytes") >= 1.5 * memory
