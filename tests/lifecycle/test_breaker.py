"""While all starts of one kind fail, further ones fail fast, until one of them works again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from carrel.domain.servers import Actual, Failure, Server
from carrel.lifecycle.breaker import FAILURES, PAUSE, USERS, WINDOW, Breaker, kind_of
from carrel.testing.clock import FakeClock
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub

BROKEN = Failure("start-error", "The image is gone.")


def _breaker() -> tuple[Breaker, FakeClock]:
    clock = FakeClock()
    return Breaker(clock), clock


def _fail(breaker: Breaker, *users: int, kind: str = "a") -> None:
    for user in users:
        breaker.failed(kind, user, BROKEN)


@pytest.mark.parametrize(
    ("users", "is_open"),
    [
        ([1, 2, 3, 4], False),  # too few
        ([1, 2, 1, 2, 1], False),  # the trouble of two people
        ([1] * 20, False),
        ([1, 2, 3, 1, 2], True),
        ([9, 9, 9, 1, 2, 3, 3, 3], True),
    ],
)
def test_what_opens_it(users: list[int], is_open: bool) -> None:
    breaker, _ = _breaker()
    _fail(breaker, *users)
    assert (breaker.refusal("a") is not None) is is_open
    assert breaker.refusal("b") is None


def test_old_failures_do_not_count() -> None:
    breaker, clock = _breaker()
    _fail(breaker, 1, 2, 3)
    clock.block(WINDOW)
    _fail(breaker, 1, 2)
    assert breaker.refusal("a") is None


def test_a_success_makes_them_forgotten() -> None:
    breaker, _ = _breaker()
    _fail(breaker, 1, 2, 3, 4)
    breaker.succeeded("a")
    _fail(breaker, 5)
    assert breaker.refusal("a") is None
    assert breaker.in_a_row == 1


def test_after_the_pause_one_is_let_through() -> None:
    breaker, clock = _breaker()
    _fail(breaker, 1, 2, 3, 4, 5)
    clock.block(PAUSE - 1)
    refusal = breaker.refusal("a")
    assert refusal is not None
    assert refusal.code == "circuit-open"
    assert f"cause {BROKEN.code}." in refusal.message
    assert "in 1 seconds" in refusal.hint
    clock.block(1)
    assert breaker.refusal("a") is None
    assert breaker.refusal("a") is not None
    assert breaker.refusal("a", always=True) is None


def test_the_trial_decides() -> None:
    for works in (True, False):
        breaker, clock = _breaker()
        _fail(breaker, 1, 2, 3, 4, 5)
        clock.block(PAUSE)
        assert breaker.refusal("a") is None
        clock.block(30)
        if works:
            breaker.succeeded("a")
        else:
            _fail(breaker, 9)
            clock.block(PAUSE - 1)
        assert (breaker.refusal("a") is None) is works


def test_a_trial_that_nobody_hears_of_again_does_not_close_it_for_ever() -> None:
    breaker, clock = _breaker()
    _fail(breaker, 1, 2, 3, 4, 5)
    for _ in range(3):
        clock.block(PAUSE)
        assert breaker.refusal("a") is None
        assert breaker.refusal("a") is not None


def test_names_that_people_choose_do_not_fill_the_memory() -> None:
    breaker, _ = _breaker()
    for number in range(5000):
        _fail(breaker, number, kind=f"kind {number}")
    assert len(breaker._kinds) <= 1000


async def _start(hub: TrialHub, name: str, **options: object) -> Server:
    await hub.ask_start(name, options=options or None)
    await hub.clock.settle()
    return await hub.server(name)


@pytest.fixture
async def broken() -> AsyncIterator[TrialHub]:
    """A hub at which the starts of five users have failed."""
    async with open_test_hub() as hub:
        await hub.make_user("root", admin=True)
        hub.world.script = Script(start_error=RuntimeError("no room"))
        for number in range(FAILURES + 2):
            await hub.make_user(f"user{number}")
        for number in range(FAILURES):
            assert (await _start(hub, f"user{number}")).actual is Actual.FAILED
        yield hub


async def test_starts_fail_fast_and_say_why(broken: TrialHub) -> None:
    before = len(broken.world.calls)
    server = await _start(broken, "user5")
    assert (server.actual, server.pending) == (Actual.FAILED, None)
    assert server.failure is not None
    assert server.failure.code == "circuit-open"
    assert "FakeSpawner" in server.failure.message
    assert "cause start-error" in server.failure.message
    assert "no room" not in server.failure.message, "another person's failure may name their files"
    assert len(broken.world.calls) == before


async def test_an_admin_gets_through_and_opens_it_for_all(broken: TrialHub) -> None:
    assert "no room" in str((await _start(broken, "root")).failure)
    broken.world.script.start_error = None
    assert (await _start(broken, "root")).ready
    assert (await _start(broken, "user5")).ready


async def test_another_profile_is_another_kind(broken: TrialHub) -> None:
    broken.world.script.start_error = None
    assert not (await _start(broken, "user5")).ready
    assert (await _start(broken, "user5", profile=["small"])).ready


async def test_it_closes_by_itself(broken: TrialHub) -> None:
    broken.world.script.start_error = None
    await broken.clock.advance(PAUSE)
    assert (await _start(broken, "user5")).ready
    assert (await _start(broken, "user6")).ready


async def test_kinds(hub: TrialHub) -> None:
    from carrel.core.runs import Owner, build_driver

    owner = Owner((await hub.find("ada")).user)
    row = await hub.ask_start(options={"profile": "big"})
    assert kind_of(build_driver(hub.ctx, row, owner)) == "FakeSpawner: big"
    assert USERS <= FAILURES


async def test_the_hub_gives_up_when_the_deployer_wants_that() -> None:
    spawner = {"consecutive_failure_limit": 3}
    async with open_test_hub(plugins={"FakeSpawner": spawner}) as hub:
        hub.world.script.start_error = RuntimeError("no room")
        given_up: list[int] = []
        object.__setattr__(hub.reconciler._starter, "give_up", lambda: given_up.append(1))
        for number in range(3):
            assert given_up == []
            await hub.make_user(f"user{number}")
            await _start(hub, f"user{number}")
        assert given_up == [1]
