"""The page of `make bench-api`: what is within its budget is said to be, and what was not measured is not."""

from __future__ import annotations

import pytest

from bench.api.cases import CASES
from bench.api.large import NAMES
from bench.api.report import BESIDE, LARGE, Found, render
from bench.api.rounds import key_of
from bench.measures import Figures

CASE = {case.name: case for case in CASES}


def times(name: str, at_once: int, *, cpu: float = 0.001, rate: float = 100, p99: float = 0.04) -> Figures:
    values = {"cpu": cpu, "rate": rate, "p50": p99 / 2, "p99": p99}
    return {key_of(CASE[name], at_once, what): value for what, value in values.items()}


@pytest.mark.parametrize(
    ("ours", "theirs", "line"),
    [
        ([1e-3, 3e-3, 9e-3], [6e-2, 6e-2, 9e-2], "| 3.00 | 60.00 | 1/20.0 | at most 4 | met |"),
        ([4.1e-3], [8.2e-3], "| 4.10 | 8.20 | 1/2.0 | at most 4 | MISSED |"),
        ([4e-3], [], "| 4.00 | - |  | at most 4 | met |"),
        ([], [4e-2], "| - | 40.00 |  | 4 | not measured |"),
    ],
)
def test_cpu_has_both_figures_their_ratio_and_a_verdict(
    ours: list[float], theirs: list[float], line: str
) -> None:
    rounds = {
        name: [times("page-200", 32, cpu=value) for value in values]
        for name, values in (("carrel", ours), ("jupyterhub", theirs))
    }
    assert f"| GET /users?limit=200; 32 at once, ms {line}" in render(Found(rounds))


def test_without_jupyterhub_there_are_no_ratios() -> None:
    page = render(Found({"carrel": [times("user", 1, cpu=0.0002)]}))
    assert "| GET /user, one token; 1 at once, ms | 0.20 |  | at most 0.3 | met |" in page


def test_what_was_not_measured_has_no_line() -> None:
    page = render(Found({"carrel": [times("user", 1)]}))
    assert "limit=200" not in page
    assert "start-up" not in page
    assert "100,000" not in page


def test_the_clock_has_both_percentiles_and_the_rate() -> None:
    page = render(Found({"carrel": [times("root", 1, p99=0.0305, rate=1234)]}))
    assert "| GET /; 1 at once | 15.2 / 30.5, 1,234 |" in page


def test_with_many_users_percentiles_and_log_ins_are_judged() -> None:
    rounds = [
        {"full/start_wall": 2.5, "full/memory": 199e6}
        | times("page-200", 8, p99=0.0501)
        | times("log-in", 8, cpu=0.002, rate=49.9)
    ]
    page = render(Found(large={"SQLite": rounds}))
    assert "| start-up, s | 2.50 | at most 2 | MISSED |" in page
    assert "| memory after the start, MB | 199 | at most 200 | met |" in page
    assert "| ... p99, ms | 50.1 | at most 50 | MISSED |" in page
    assert "| log-in: form, answer, home page; 8 at once, ms of CPU | 2.00 | at most 20 | met |" in page
    assert (
        "| log-in: form, answer, home page; 8 at once, number a second | 50 | at least 50 | MISSED |" in page
    )


def test_a_quick_page_says_that_its_figures_are_no_use() -> None:
    assert "no use" in render(Found(quick=True))
    assert "no use" not in render(Found())


def test_names_are_known_and_unique() -> None:
    assert len(CASE) == len(CASES)
    assert set(NAMES) <= CASE.keys()
    assert all(case.name in NAMES for case in CASES if case.slowest)
    for plains in (BESIDE, LARGE):
        assert len({plain.key for plain in plains}) == len(plains)
