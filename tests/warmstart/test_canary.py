from __future__ import annotations

import json

from carrel.warmstart.canary import Report, compare, read_report


def report(fresh: str = "a", **facts: object) -> Report:
    return Report(facts, [fresh])


def test_equal_processes_differ_in_nothing() -> None:
    assert (
        compare(
            [report("a", umask=1, env={"A": "1"}), report("b", umask=1, env={"A": "1"})],
            report("c", umask=1, env={"A": "1"}),
        )
        == []
    )


def test_a_difference_is_named_once() -> None:
    forked = [report("a", env={"A": "1", "B": "2"}), report("b", env={"A": "1", "B": "2"})]
    assert compare(forked, report("c", env={"A": "1"})) == ['env B: "2" instead of null']


def test_random_values_must_differ() -> None:
    found = compare([report("a"), report("a")], report("c"))
    assert found == ["random values are the same in several processes: a"]


def test_a_report_is_found_behind_other_lines() -> None:
    line = json.dumps({"facts": {"umask": 1}, "fresh": ["a"]})
    assert read_report(f"Cannot enter /x: starting in /\n{line}\n") == report("a", umask=1)
    assert read_report("Traceback") is None
