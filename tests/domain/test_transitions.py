"""The table of a server's life, case by case, and what must hold of every case."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.servers import Actual, Lease, Server, Wanted
from carrel.domain.transitions import Action, ask_start, ask_stop, next_action
from carrel.testing.factories import NOW, a_server

ME = "me"
LEASES = {
    "none": None,
    "mine": Lease(ME, NOW + 10, 1),
    "mine, expired": Lease(ME, NOW - 10, 1),
    "theirs": Lease("them", NOW + 10, 1),
    "theirs, expired": Lease("them", NOW - 10, 1),
}
DEADLINES = {"none": None, "ahead": NOW + 5, "now": NOW, "passed": NOW - 5}
GENERATIONS = {"answered": (1, 1), "newer request": (2, 1)}


def expected(actual: str, wanted: str, lease: str, deadline: str, generation: str) -> str:
    """Say the architecture's table in the plainest words."""
    if actual in ("stopped", "failed"):
        if wanted == "deleted":
            return "none" if lease == "theirs" else "delete"
        return "start" if (wanted, generation) == ("running", "newer request") else "none"
    if actual == "running":
        return "poll" if wanted == "running" else "stop"
    late, mine = deadline in ("now", "passed"), lease == "mine"
    if lease == "theirs":
        return "none"
    if actual == "starting":
        if wanted != "running":
            return "cancel"
        return "abort" if late else "none" if mine else "recover"
    return "force" if late else "none" if mine else "stop"


CASES = list(product(Actual, Wanted, LEASES, DEADLINES, GENERATIONS))


@pytest.mark.parametrize(("actual", "wanted"), list(product(Actual, Wanted)))
def test_every_case_of_the_table(actual: Actual, wanted: Wanted) -> None:
    for lease, deadline, generation in product(LEASES, DEADLINES, GENERATIONS):
        asked, answered = GENERATIONS[generation]
        server = a_server(
            actual,
            wanted,
            lease=LEASES[lease],
            deadline=DEADLINES[deadline],
            wanted_generation=asked,
            generation=answered,
        )
        action = next_action(server, NOW, ME)
        assert action == expected(actual, wanted, lease, deadline, generation), (lease, deadline, generation)


@st.composite
def servers(draw: st.DrawFn) -> Server:
    generation = draw(st.integers(0, 3))
    return a_server(
        draw(st.sampled_from(Actual)),
        draw(st.sampled_from(Wanted)),
        lease=draw(st.sampled_from(list(LEASES.values()))),
        deadline=draw(st.sampled_from(list(DEADLINES.values()))),
        generation=generation,
        wanted_generation=generation + draw(st.integers(0, 2)),
    )


@given(servers())
def test_pending_agrees_with_the_action(server: Server) -> None:
    action = next_action(server, NOW, ME)
    if server.pending is None:
        assert action in (Action.NONE, Action.POLL, Action.DELETE)
    if action in (Action.START, Action.RECOVER, Action.ABORT):
        assert server.pending == "spawn"
    if action in (Action.STOP, Action.CANCEL, Action.FORCE):
        assert server.pending == "stop"


@given(servers())
def test_what_is_ready_or_pending_is_active(server: Server) -> None:
    assert server.active or (server.pending is None and not server.ready)
    assert not (server.ready and server.pending)


@given(servers(), st.booleans())
def test_asking_twice_is_asking_once(server: Server, delete: bool) -> None:
    once = ask_stop(server, delete=delete)
    assert ask_stop(once, delete=delete) is once
    if server.actual is not Actual.STOPPING:
        started = ask_start(server, NOW)
        assert ask_start(started, NOW + 1) is started


@given(servers())
def test_a_request_changes_the_wish_alone(server: Server) -> None:
    for asked in (ask_start(server, NOW), ask_stop(server)):
        same = replace(
            asked,
            wanted=server.wanted,
            wanted_generation=server.wanted_generation,
            wished=server.wished,
            failure=server.failure,
        )
        assert same == server


def test_what_is_to_be_removed_is_not_kept_by_a_stop() -> None:
    server = a_server("running", "deleted")
    assert ask_stop(server).wanted is Wanted.DELETED


def do(server: Server) -> Server:
    """Do the next action to a server in a world where all goes well."""
    match next_action(server, NOW, ME):
        case Action.START:
            return replace(
                server,
                actual=Actual.STARTING,
                generation=server.wanted_generation,
                lease=Lease(ME, NOW + 9, 1),
                deadline=NOW + 5,
            )
        case Action.RECOVER:
            return replace(server, actual=Actual.RUNNING, lease=None, deadline=None)
        case Action.ABORT:
            return replace(server, actual=Actual.FAILED, lease=None, deadline=None)
        case Action.STOP | Action.CANCEL | Action.FORCE:
            return replace(server, actual=Actual.STOPPED, lease=None, deadline=None)
        case Action.NONE if server.actual is Actual.STARTING:
            return replace(server, actual=Actual.RUNNING, lease=None, deadline=None)
        case Action.NONE if server.actual is Actual.STOPPING:
            return replace(server, actual=Actual.STOPPED, lease=None, deadline=None)
    return server


def start(server: Server) -> Server:
    return ask_start(server, NOW)


@given(st.lists(st.sampled_from(["start", "stop", "work"]), max_size=30))
def test_any_sequence_of_wishes_ends_in_the_last(steps: list[str]) -> None:
    server = a_server()
    for step in steps:
        server = {"start": start, "stop": ask_stop, "work": do}[step](server)
    for _ in range(4):
        server = do(server)
    wishes = [step for step in steps if step != "work"]
    assert server.actual is (Actual.RUNNING if wishes[-1:] == ["start"] else Actual.STOPPED)
    assert server.pending is None


@pytest.mark.parametrize("actual", list(Actual))
@pytest.mark.parametrize("wanted", list(Wanted))
def test_what_is_bound_to_a_machine_is_left_to_the_hubs_there(actual: Actual, wanted: Wanted) -> None:
    server = a_server(actual.value, wanted.value, wanted_generation=1, deadline=NOW - 5, node="east")
    here, there = (next_action(server, NOW, f"{node}/1-a") for node in ("east", "west"))
    at_rest = actual in (Actual.STOPPED, Actual.FAILED)
    assert there is (here if at_rest else Action.NONE)
