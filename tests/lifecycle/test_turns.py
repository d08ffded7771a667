"""What one of several hubs does at once, leaves to others for a moment, and leaves alone."""

from __future__ import annotations

import logging

import pytest

from carrel.core.peers import Peers
from carrel.domain.hubs import Hub
from carrel.domain.servers import Lease, Server
from carrel.domain.transitions import Action
from carrel.lifecycle.turns import Turns
from carrel.testing.factories import NOW, a_server


@pytest.fixture
def turns() -> Turns:
    """The turns of a hub that has another one beside it, on another machine."""
    peers = Peers("east/1-a", "east", "http://east")
    peers.update([Hub("west/2-b", "west", "http://west", "0.1", NOW, NOW + 10)])
    return Turns(peers)


def a_turn(turns: Turns, ours: bool, actual: str = "stopping", wanted: str = "stopped") -> Server:
    """Return a server whose turn is this hub's, or the other's."""
    servers = (a_server(actual, wanted, id=number, wished=NOW) for number in range(1, 100))
    return next(server for server in servers if turns._peers.is_our_turn(server) is ours)


def test_a_hub_in_turn_acts_at_once(turns: Turns) -> None:
    assert turns.pause(a_turn(turns, ours=True), Action.STOP, NOW) == 0
    assert turns.may_start(a_turn(turns, True, "stopped", "running"), NOW)


def test_what_another_hub_leaves_lying_is_done_a_second_later(turns: Turns) -> None:
    server = a_turn(turns, ours=False)
    assert turns.pause(server, Action.STOP, NOW) == 1
    assert turns.pause(server, Action.STOP, NOW + 1) == 0
    assert turns.pause(server, Action.STOP, NOW + 1) == 1


def test_a_start_that_nobody_begins_is_begun_a_second_later(turns: Turns) -> None:
    server = a_turn(turns, False, "stopped", "running")
    assert turns.pause(server, Action.START, NOW + 0.25) == 0.75
    assert not turns.may_start(server, NOW + 0.9)
    assert turns.may_start(server, NOW + 1)
    assert turns.pause(server, Action.START, NOW + 1) == 0


def test_only_the_hub_in_turn_polls(turns: Turns) -> None:
    server = a_turn(turns, False, "running", "running")
    assert all(turns.pause(server, Action.POLL, NOW + later) > 1 for later in range(5))
    assert turns.pause(a_turn(turns, True, "running", "running"), Action.POLL, NOW) == 0


def test_a_lease_of_another_hub_is_looked_at_when_it_ends(turns: Turns) -> None:
    server = a_server("starting", "running", lease=Lease("west/2-b", NOW + 4, 1))
    assert 4 < turns.pause(server, Action.NONE, NOW) < 5
    assert 0 < turns.pause(server, Action.NONE, NOW + 9) < 1


def test_a_server_of_a_machine_without_hubs_is_left_alone_and_named_once(
    turns: Turns, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "carrel.lifecycle")
    for node in ("west", "north", "north"):
        assert turns.pause(a_server("running", "stopped", node=node), Action.NONE, NOW) == 0
    assert [record.getMessage() for record in caplog.records] == [
        "ada/ is bound to the machine north, where no hub runs: it stays as it is until one does"
    ]
