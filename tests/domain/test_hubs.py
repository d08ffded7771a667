"""Hubs divide the servers among themselves without a word."""

from __future__ import annotations

from collections import Counter

from carrel.domain.hubs import node_of, owner_name, whose_turn

OWNERS = [owner_name("machine", pid, "aa") for pid in range(3)]
IDS = range(3000)


def test_a_name_tells_the_machine() -> None:
    assert node_of(owner_name("rack/7", 12, "ab")) == "rack/7"
    assert node_of("hub 1") == ""


def test_everybody_gets_a_share_and_all_agree() -> None:
    shares = Counter(whose_turn(server_id, OWNERS) for server_id in IDS)
    assert shares == Counter(whose_turn(server_id, reversed(OWNERS)) for server_id in IDS)
    assert set(shares) == set(OWNERS)
    # Of 3000 coin tosses at one in three, 26 are a standard deviation.
    assert all(850 < share < 1150 for share in shares.values())


def test_when_one_goes_only_its_share_changes_hands() -> None:
    for server_id in IDS:
        before, after = whose_turn(server_id, OWNERS), whose_turn(server_id, OWNERS[1:])
        assert after == before or before == OWNERS[0]


def test_nobody_has_no_turn() -> None:
    assert whose_turn(1, []) is None
