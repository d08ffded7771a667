"""Who the other hubs are, and whose turn it is among them."""

from __future__ import annotations

from carrel.core.peers import Peers
from carrel.domain.hubs import Hub
from carrel.testing.factories import NOW, a_server


def a_hub(owner: str, node: str) -> Hub:
    return Hub(owner, node, f"http://{node}", "0.1", NOW, NOW + 10)


def three() -> list[Peers]:
    """Return how three hubs see one another; the first two are on one machine."""
    hubs = [a_hub("east/1-a", "east"), a_hub("east/2-b", "east"), a_hub("west/3-c", "west")]
    found = [Peers(hub.owner, hub.node, hub.url) for hub in hubs]
    for peers in found:
        peers.update(hubs)
    return found


def test_a_hub_that_is_alone_does_everything() -> None:
    peers = Peers("east/1-a", "east", "http://east")
    assert not peers.update([a_hub("east/1-a", "east")])
    assert peers.others == ()
    assert peers.is_our_turn(a_server("running", "running", node="west"))


def test_one_has_the_turn_for_each_server() -> None:
    for server_id in range(50):
        assert sum(peers.is_our_turn(a_server("stopped", "running", id=server_id)) for peers in three()) == 1


def test_what_is_bound_to_a_machine_is_the_turn_of_a_hub_there() -> None:
    first, second, third = three()
    for server_id in range(50):
        east = a_server("running", "running", id=server_id, node="east")
        assert first.is_our_turn(east) is not second.is_our_turn(east)
        assert not third.is_our_turn(east)
        assert third.is_our_turn(a_server("stopping", "stopped", id=server_id, node="west"))


def test_where_a_server_ran_last_does_not_matter_for_the_next_start() -> None:
    turns = {
        peers.owner
        for server_id in range(50)
        for peers in three()
        if peers.is_our_turn(a_server("stopped", "running", id=server_id, node="west"))
    }
    assert len(turns) == 3


def test_a_change_of_the_others_is_told_once() -> None:
    peers = Peers("east/1-a", "east", "http://east")
    other = a_hub("west/3-c", "west")
    assert peers.update([other])
    assert not peers.update([other])
    assert peers.is_manned("west")
    assert peers.update([])
    assert not peers.is_manned("west")
    assert peers.is_manned("east")
