"""What a hub knows of the data plane's table by counting."""

from __future__ import annotations

import pytest

from carrel.domain.routes import Route
from carrel.proxy.ledger import Ledger

ADA, BEA = Route("/user/ada/", "http://127.0.0.1:1"), Route("/user/bea/", "http://127.0.0.1:2")


@pytest.fixture
def ledger() -> Ledger:
    """The data plane's table has changed seven times, and holds ADA."""
    ledger = Ledger("hub")
    ledger.begin()
    ledger.was_put({ADA.spec: ADA}, 7)
    return ledger


def test_changes_are_numbered_from_the_first_snapshot_on() -> None:
    ledger = Ledger("hub")
    assert [ledger.next(), ledger.next()] == ["", ""]
    assert ledger.agrees(5)
    assert [ledger.begin(), ledger.next(), ledger.next()] == ["hub 3", "hub 4", "hub 5"]
    assert not ledger.holds({})


def test_its_own_changes_are_what_it_expects(ledger: Ledger) -> None:
    assert ledger.agrees(7)
    ledger.was_added(BEA, 8)
    ledger.was_deleted(ADA.spec, 9, existed=True)
    ledger.was_deleted(ADA.spec, 9, existed=False)
    assert ledger.agrees(9)
    assert ledger.holds({BEA.spec: BEA})
    assert not ledger.holds({BEA.spec: ADA})


@pytest.mark.parametrize("count", [0, 6, 8])
def test_a_count_that_is_another_one_tells_of_somebody_else(ledger: Ledger, count: int) -> None:
    assert not ledger.agrees(count)


def test_a_change_between_two_of_its_own_is_not_overlooked(ledger: Ledger) -> None:
    ledger.was_added(BEA, 9)
    assert not ledger.agrees(9)
    assert not ledger.holds({ADA.spec: ADA, BEA.spec: BEA})
    ledger.was_added(BEA, 10)
    assert not ledger.agrees(10)
    ledger.was_put({ADA.spec: ADA}, 11)
    assert ledger.agrees(11)


def test_after_a_change_without_an_answer_nothing_is_known(ledger: Ledger) -> None:
    ledger.lost()
    assert not ledger.holds({ADA.spec: ADA})
    assert not ledger.agrees(7)


def test_a_data_plane_that_does_not_count_is_trusted_but_set_each_time() -> None:
    ledger = Ledger("hub")
    ledger.begin()
    ledger.was_put({}, None)
    assert ledger.agrees(None)
    assert not ledger.holds({})
