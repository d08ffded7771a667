"""Log-ins that block: they keep nobody else waiting, and those that hang are bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from carrel.authenticators.base import Authenticator
from carrel.authenticators.login import check_login
from carrel.authenticators.policy import Refusal
from carrel.authenticators.threads import Threads, can_wait
from carrel.domain.errors import Unavailable
from carrel.domain.identity import Identity

FORM = {"username": "ada", "password": "x"}
LIMIT = 10.0


class _Base(Authenticator):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_all=True, **kwargs)
        self.thread: threading.Thread | None = None

    def _note(self) -> str:
        self.thread = threading.current_thread()
        return "ada"


class Plain(_Base):
    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        return self._note()


class NeverWaits(_Base):
    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        return self._note()


class Waits(_Base):
    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        await asyncio.sleep(0)
        return self._note()


class ReturnsCoroutine(_Base):
    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        async def later() -> str:
            await asyncio.sleep(0)
            return self._note()

        return later()


class NeedsTheLoop(_Base):
    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(self._note())
        return answer


class Hangs(_Base):
    """As if what it asks never answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begun = threading.Semaphore(0)
        self.answers = threading.Event()

    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        self.begun.release()
        self.answers.wait(60)
        return self._note()


async def log_in(authenticator: Authenticator, seconds: float = 30.0) -> Identity | Refusal:
    return await check_login(authenticator, None, FORM, seconds=seconds)


@pytest.mark.parametrize("kind", [Plain, NeverWaits])
async def test_what_cannot_wait_runs_in_a_thread(kind: type[_Base]) -> None:
    authenticator = kind()
    assert isinstance(await log_in(authenticator), Identity)
    assert authenticator.thread is not threading.main_thread()


@pytest.mark.parametrize("kind", [Waits, ReturnsCoroutine])
async def test_what_waits_stays_on_the_loop(kind: type[_Base]) -> None:
    authenticator = kind()
    assert isinstance(await log_in(authenticator), Identity)
    assert authenticator.thread is threading.main_thread()


async def test_a_function_that_needs_the_loop_gets_it(caplog: pytest.LogCaptureFixture) -> None:
    authenticator = NeedsTheLoop()
    for _ in range(2):
        assert isinstance(await log_in(authenticator), Identity)
    assert authenticator.thread is threading.main_thread()
    assert caplog.text.count("needs the hub's event loop") == 1


async def test_the_configuration_has_the_last_word() -> None:
    for kind, wanted in ((Plain, False), (Waits, True)):
        authenticator = kind(authenticate_in_thread=wanted)
        assert isinstance(await log_in(authenticator), Identity)
        assert (authenticator.thread is threading.main_thread()) is not wanted


async def test_the_loop_goes_on_while_a_log_in_blocks() -> None:
    authenticator = Hangs()
    waiting = asyncio.create_task(log_in(authenticator))
    while not authenticator.begun.acquire(blocking=False):
        await asyncio.sleep(0)
    authenticator.answers.set()
    assert isinstance(await waiting, Identity)


async def test_what_hangs_is_given_up_and_soon_not_tried_any_more(caplog: pytest.LogCaptureFixture) -> None:
    authenticator = Hangs()
    try:
        for _ in range(16):
            outcome = await log_in(authenticator, seconds=0.01)
            assert isinstance(outcome, Refusal)
            assert outcome.status == 503
            assert "took too long" in outcome.reason_for_page
        assert "does not return" not in caplog.text
        # One more to see whether it answers again, and nobody after that.
        assert isinstance(await log_in(authenticator, seconds=0.01), Refusal)
        assert "Hangs.authenticate does not return, 16 times in a row" in caplog.text
        refused = await log_in(authenticator)
        assert isinstance(refused, Refusal)
        assert (refused.status, "does not answer" in refused.reason_for_page) == (503, True)
    finally:
        authenticator.answers.set()


async def test_one_answer_is_enough_to_be_trusted_again() -> None:
    threads, go = Threads("test", 1), threading.Event()
    for _ in range(15):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threads.run(lambda: go.wait(60)), 0.001)
    assert await threads.run(lambda: 1) == 1
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threads.run(lambda: go.wait(60)), 0.001)
    assert await threads.run(lambda: 1) == 1
    go.set()


@pytest.mark.parametrize("most", [1, 3])
async def test_so_many_at_once_as_the_setting_says(most: int) -> None:
    authenticator = Hangs(login_threads=most)
    waiting = [asyncio.create_task(log_in(authenticator)) for _ in range(most + 2)]
    async with asyncio.timeout(LIMIT):
        for _ in range(most):
            while not authenticator.begun.acquire(blocking=False):
                await asyncio.sleep(0)
    assert not authenticator.begun.acquire(blocking=False)
    authenticator.answers.set()
    assert all(isinstance(outcome, Identity) for outcome in await asyncio.gather(*waiting))


async def test_a_line_that_is_too_long_is_told() -> None:
    threads, go = Threads("test", 1), threading.Event()
    waiting = [asyncio.create_task(threads.run(lambda: go.wait(60))) for _ in range(100)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Too many log-ins"):
        await threads.run(lambda: 1)
    go.set()
    assert all(await asyncio.gather(*waiting))


async def test_what_a_call_raises_arrives() -> None:
    threads = Threads("test", 1)

    def stop() -> None:
        raise StopIteration

    def leave() -> None:
        raise SystemExit(1)

    for call in (stop, leave):
        with pytest.raises(RuntimeError, match=r"The call raised (StopIteration|SystemExit)"):
            await threads.run(call)
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 1) == 1


def test_what_can_wait_is_told_by_how_it_is_written() -> None:
    async def with_block() -> None:
        async with asyncio.Lock():
            """Nothing."""

    async def loop() -> None:
        async for _ in _numbers():
            """Nothing."""

    async def plain() -> Any:
        return with_block

    assert [can_wait(each) for each in (with_block, loop, plain)] == [True, True, False]


async def _numbers() -> Any:
    yield 1
