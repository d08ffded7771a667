"""The page of `make bench-proxy`: what is met is said to be, and what was not measured is not."""

from __future__ import annotations

import pytest

from bench.proxy.loads import USERS, Amounts, percentile
from bench.proxy.report import BARS, MEASURES, ratios, render, verdict
from bench.proxy.rounds import LOADS, MEMORY, Found, Key
from bench.proxy.systems import RestProxy

HERE = ("/bin/echo", "1.2.3")
SYSTEMS = (RestProxy("carrel", "ours", HERE, 0), RestProxy("chp", "theirs", HERE, 0))


def page(ours: list[float | None], theirs: list[float | None]) -> str:
    key = Key("websocket", "http", USERS)
    return render(Found({("carrel", key): ours, ("chp", key): theirs}), SYSTEMS, quick=False)


@pytest.mark.parametrize(
    ("ours", "theirs", "line"),
    [
        ([1e-5, 2e-5, 9e-5], [4e-5, 5e-5, 9e-5], "| 0.20 | 0.50 theirs | 1/2.50 | at most 1/2 | met |"),
        ([3e-5], [5e-5], "| 0.30 | 0.50 theirs | 1/1.67 | at most 1/2 | MISSED |"),
        ([3e-5], [None], "| 0.30 | - theirs | - | at most 1/2 | not measured |"),
        ([None], [5e-5], "| - | 0.50 theirs | - | at most 1/2 | not measured |"),
    ],
)
def test_a_bar_has_both_figures_their_ratio_and_a_verdict(
    ours: list[float | None], theirs: list[float | None], line: str
) -> None:
    assert f"| http: websocket round trip, CPU s/10k {line}" in page(ours, theirs)


def test_an_absolute_bar_is_in_the_figure_s_unit() -> None:
    key = Key("memory", "http", USERS)
    assert "| 59.9 |  |  | at most 60 | met |" in render(
        Found({("carrel", key): [59.9e6]}), SYSTEMS, quick=False
    )
    assert "| 60.1 |  |  | at most 60 | MISSED |" in render(
        Found({("carrel", key): [60.1e6]}), SYSTEMS, quick=False
    )


def test_a_bar_that_was_not_asked_for_is_not_there() -> None:
    bars = page([1e-5], [4e-5]).partition("## Bars")[2].partition("## Figures")[0]
    assert bars.count("http") == 1


def test_figures_have_their_spread_and_each_proxy_its_column() -> None:
    text = page([1e-5, 2e-5, 9e-5], [4e-5, None, None])
    assert "|  | unit | ours | theirs |" in text
    assert "| http: websocket round trip | CPU s/10k | 0.20 (0.10–0.90) | 0.40 |" in text
    assert "ours 1.2.3, theirs 1.2.3" in text


def test_what_failed_is_told() -> None:
    assert "- chp: it fell over" in render(Found(notes=["chp: it fell over"]), SYSTEMS, quick=False)
    assert "Not measured" not in render(Found(), SYSTEMS, quick=False)


def test_a_quick_page_says_that_its_figures_are_no_use() -> None:
    assert "no use" in render(Found(), SYSTEMS, quick=True)
    assert "no use" not in render(Found(), SYSTEMS, quick=False)


def test_a_ratio_is_of_one_round() -> None:
    assert ratios([1.0, None, 3.0], [2.0, 2.0, None]) == [0.5]
    assert verdict([0.1, 0.3, 0.2], 0.2) == "met"
    assert verdict([0.1, 0.3, 0.3], 0.2) == "MISSED"
    assert verdict([], 0.2) == "not measured"


def test_each_load_is_printed_and_each_bar_is_measured() -> None:
    measured = {(load.name, load.users) for load in (*LOADS, MEMORY)}
    assert {(measure.load, measure.users) for measure in MEASURES} == measured
    assert {(bar.load, bar.users) for bar in BARS} <= measured
    with_tls = {load.name for load in (*LOADS, MEMORY) if load.with_tls}
    assert {bar.load for bar in BARS if bar.transport == "https"} <= with_tls


def test_the_99th_percentile_leaves_one_of_a_hundred_above() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values[::-1], 0.99) == 99
    assert percentile([7.0], 0.99) == 7
    assert Amounts().added_routes >= 100
