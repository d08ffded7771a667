from __future__ import annotations

from tests.compat.beside.cases import CASES
from tests.compat.beside.page import page
from tests.rigs.places import ROOT


def test_the_page_is_what_the_table_says() -> None:
    advice = "run: python -m tests.compat.beside.page > docs/differences.md"
    assert (ROOT / "docs" / "differences.md").read_text() == page(), advice


def test_there_are_enough_questions() -> None:
    assert sum(len(case.asks) for case in CASES) >= 400


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))
