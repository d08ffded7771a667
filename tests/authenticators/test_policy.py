"""The decision table, names in all their forms, and what is shown of strangers' text."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.authenticators.policy import (
    NO_RULE,
    Standing,
    decide,
    fold_name,
    refuse_admission,
    refuse_credentials,
    show,
)


@pytest.mark.parametrize("facts", list(itertools.product([False, True], repeat=6)))
def test_every_row_of_the_decision_table(facts: tuple[bool, ...]) -> None:
    blocked, admin, allow_all, listed, exists, any_rule = facts
    decision = decide(Standing(blocked, admin, allow_all, listed, exists, any_rule))
    assert decision.admitted == (not blocked and (admin or allow_all or listed or exists))
    nobody_could = not (blocked or admin or allow_all or listed or exists or any_rule)
    assert (decision.why == NO_RULE) == nobody_could


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("alice", "alice"),
        ("ALICE", "alice"),
        ("Ünal", "ünal"),
        ("U\u0308nal", "ünal"),
        ("ÉMILE", "émile"),
        ("E\u0301MILE", "émile"),
        ("ΑΛΕΞΗΣ", "αλεξης"),
        ("Å", "å"),
        ("\u212b", "å"),  # the sign for Ångström is the letter
        ("\u1e9e", "ß"),
        ("straße", "straße"),
        ("STRASSE", "strasse"),
        ("İ", "i\u0307"),
        ("ａｌｉｃｅ", "ａｌｉｃｅ"),  # full-width letters are other letters: another user
        ("аlice", "аlice"),  # and so is a Cyrillic a
    ],
)
def test_a_name_has_one_form(typed: str, folded: str) -> None:
    assert fold_name(typed) == folded


@given(st.text())
def test_folding_again_changes_nothing(name: str) -> None:
    folded = fold_name(name)
    assert fold_name(folded) == folded
    assert unicodedata.is_normalized("NFC", folded)


@given(st.text())
def test_composed_and_decomposed_names_are_the_same_user(name: str) -> None:
    assert fold_name(unicodedata.normalize("NFD", name)) == fold_name(unicodedata.normalize("NFC", name))


@given(st.text())
def test_what_a_stranger_typed_stays_one_short_line(text: str) -> None:
    assert show(text).isprintable()
    assert len(show(text * 50)) < 2500


def test_a_refusal_for_want_of_rules_says_what_to_set() -> None:
    refusal = refuse_admission("ada", NO_RULE)
    assert "c.Authenticator.allow_all = True" in refusal.reason_for_page
    assert "ada" in refusal.reason_for_log


def test_the_page_tells_a_refused_person_nothing_of_the_rules() -> None:
    assert "blocked" not in refuse_admission("ada", "blocked").reason_for_page
    assert "ada" not in refuse_credentials("ada").reason_for_page
