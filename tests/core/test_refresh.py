"""The authenticator is asked now and then whether a log-in is still good, and may end it everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.core.access import caller_of_session, caller_of_token
from carrel.core.auth_state import load_auth_state
from carrel.core.caller import Caller
from carrel.core.login import open_session
from carrel.core.refresh import is_token_good, refreshed
from carrel.core.servers import ask_to_start, ask_to_stop
from carrel.domain.errors import Forbidden
from carrel.domain.identity import Identity
from carrel.domain.servers import Wanted
from carrel.lib.sealing import Sealer
from carrel.storage.base import StorageUnavailable
from carrel.testing.hub import TrialHub, open_test_hub

AGE = 300


class Asking(DummyAuthenticator):
    """Answers as the test wants, and writes down whom it was asked about."""

    answer: Any = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        self.asked.append(user.name)
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A hub with an authenticator of the kind above."""
    async with open_test_hub(authenticator_class=Asking) as hub:
        yield hub


def _asking(hub: TrialHub) -> Asking:
    assert isinstance(hub.ctx.authenticator, Asking)
    return hub.ctx.authenticator


async def _visit(hub: TrialHub, secret: str) -> Caller | None:
    caller = await caller_of_session(hub.ctx, secret)
    return None if caller is None else await refreshed(hub.ctx, caller)


async def test_it_is_asked_once_in_a_while(hub: TrialHub) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    for _ in range(3):
        assert await _visit(hub, login.secret) is not None
    assert _asking(hub).asked == [], "who has just signed in is known"
    await hub.clock.advance(AGE)
    for _ in range(3):
        assert await _visit(hub, login.secret) is not None
    assert _asking(hub).asked == ["ada"]


async def test_a_no_ends_every_log_in_and_what_was_given_within_it(hub: TrialHub) -> None:
    login, other = [await open_session(hub.ctx, Identity("ada")) for _ in range(2)]
    bea = await open_session(hub.ctx, Identity("bea"))
    given = await hub.token_of(login.user, "inherit", session_id=other.session_id)
    own = await hub.token_of(login.user, "inherit")
    await hub.clock.advance(AGE)
    _asking(hub).answer = False
    assert await _visit(hub, login.secret) is None
    assert await caller_of_session(hub.ctx, other.secret) is None
    assert await caller_of_token(hub.ctx, given) is None
    assert await caller_of_token(hub.ctx, own) is not None, "the user's own token is no log-in"
    assert await caller_of_session(hub.ctx, bea.secret) is not None


async def test_a_no_that_could_not_be_heeded_is_asked_for_again(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    await hub.clock.advance(AGE)
    _asking(hub).answer = False

    def away(*, durable: bool = False) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(hub.store, "write", away)
        with pytest.raises(StorageUnavailable):
            await _visit(hub, login.secret)
    assert await _visit(hub, login.secret) is None
    assert _asking(hub).asked == ["ada", "ada"]


async def test_an_answer_that_nobody_waited_for_is_asked_for_again(hub: TrialHub) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    await hub.clock.advance(AGE)
    _asking(hub).gate.clear()
    visit = asyncio.create_task(_visit(hub, login.secret))
    while not _asking(hub).asked:
        await asyncio.sleep(0)
    visit.cancel()
    await asyncio.wait((visit,))
    _asking(hub).gate.set()
    _asking(hub).answer = False
    assert await _visit(hub, login.secret) is None


async def test_what_is_new_about_somebody_counts_at_once(hub: TrialHub) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    await hub.clock.advance(AGE)
    _asking(hub).answer = {"name": "ada", "admin": True}
    caller = await _visit(hub, login.secret)
    assert caller is not None
    assert caller.is_admin


async def test_what_is_not_said_of_the_auth_state_leaves_it() -> None:
    async with open_test_hub(
        authenticator_class=Asking, plugins={"Authenticator": {"enable_auth_state": True}}
    ) as hub:
        object.__setattr__(hub.ctx, "sealer", Sealer([b"k" * 32]))
        login = await open_session(hub.ctx, Identity("ada", auth_state={"upstream": "t"}))
        await hub.clock.advance(AGE)
        _asking(hub).answer = {"name": "ada"}
        assert await _visit(hub, login.secret) is not None
        assert await load_auth_state(hub.ctx, login.user) == {"upstream": "t"}


@pytest.mark.parametrize("answer", [RuntimeError("no answer"), {"name": "bea"}, {"name": 7}])
async def test_one_that_cannot_say_leaves_the_log_in_and_is_asked_again(hub: TrialHub, answer: Any) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    await hub.clock.advance(AGE)
    _asking(hub).answer = answer
    for _ in range(2):
        assert await _visit(hub, login.secret) is not None
    assert _asking(hub).asked == ["ada"]
    await hub.clock.advance(60)
    assert await _visit(hub, login.secret) is not None
    assert _asking(hub).asked == ["ada", "ada"]


async def test_before_starts_and_stops_where_that_is_wanted(hub: TrialHub) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    caller = await caller_of_session(hub.ctx, login.secret)
    assert caller is not None
    await ask_to_start(hub.ctx, caller, "ada")
    await hub.clock.settle()
    asking = _asking(hub)
    assert asking.asked == []
    asking.answer, asking.refresh_pre_stop = False, True
    with pytest.raises(Forbidden, match="sign in again"):
        await ask_to_stop(hub.ctx, caller, "ada")
    asking.answer = True
    assert await ask_to_stop(hub.ctx, caller, "ada") is not None
    await hub.clock.settle()
    asking.answer, asking.refresh_pre_spawn = False, True
    with pytest.raises(Forbidden, match="sign in again"):
        await ask_to_start(hub.ctx, caller, "ada")


async def test_who_cannot_sign_in_for_the_user_goes_on_unless_that_is_strict(hub: TrialHub) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    await hub.make_user("root", admin=True)
    held = await caller_of_token(hub.ctx, await hub.token_of(login.user, "inherit"))
    assert held is not None
    asking = _asking(hub)
    asking.answer, asking.refresh_pre_spawn = False, True
    for caller in (held, await hub.find("root")):
        asking.auth_refresh_strict = True
        with pytest.raises(Forbidden, match="sign in again"):
            await ask_to_start(hub.ctx, caller, "ada")
        asking.auth_refresh_strict = False
        assert (await ask_to_start(hub.ctx, caller, "ada")).wanted is Wanted.RUNNING
    assert asking.asked == ["ada"] * 4


async def test_tokens_are_good_as_long_as_the_log_in_where_that_is_strict(hub: TrialHub) -> None:
    login = await open_session(hub.ctx, Identity("ada"))
    held = await caller_of_token(hub.ctx, await hub.token_of(login.user, "inherit"))
    assert held is not None
    asking = _asking(hub)
    asking.answer = False
    await hub.clock.advance(AGE)
    assert await is_token_good(hub.ctx, held)
    assert asking.asked == []
    asking.auth_refresh_strict = True
    for _ in range(2):
        assert not await is_token_good(hub.ctx, held)
    asking.answer = True
    for _ in range(2):
        assert await is_token_good(hub.ctx, held)
    assert asking.asked == ["ada"] * 3
