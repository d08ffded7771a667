"""Log-ins that block: a password hash, LDAP or another service that keeps whoever asks it waiting.

Such an `authenticate` runs in a thread of its own, so that the hub goes on meanwhile. The threads are no pool
that is waited for at the end: one that hangs for ever does not keep the hub from stopping.
"""

from __future__ import annotations

import asyncio
import contextvars
import dis
import inspect
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from carrel.domain.errors import Unavailable
from carrel.lib.awaiting import resolve

#: How many log-ins may wait for their turn.
_LONGEST_LINE = 100
#: After how many calls in a row that had to be given up only one is tried in so many seconds.
_MOST_HUNG = 16
_TRY_EVERY = 60.0
#: What a coroutine needs to wait for anything.
_WAITING = frozenset({"GET_AWAITABLE", "GET_AITER", "GET_ANEXT"})
_log = logging.getLogger("carrel.auth")


class Threads:
    """Threads of one authenticator, at most `most` that somebody waits for; others wait for their turn.

    Plug-ins were written for a hub that calls them one at a time, so more than one is the deployer's choice.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._turn = asyncio.Semaphore(most)
        self._waiting = 0
        self._hung = 0
        """How many calls in a row were given up."""
        self._next_try = 0.0

    async def run(self, call: Callable[[], Any]) -> Any:
        """Return what `call` returns, and raise what it raises, from a thread of its own.

        When the caller is cancelled the thread goes on by itself. Raises Unavailable when too many wait, or
        when one after the other hung: then only now and then one is tried.
        """
        if self._waiting >= _LONGEST_LINE:
            raise Unavailable("Too many log-ins are being checked right now. Please try again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                self._refuse_in_vain()
                return await self._run(call)
        finally:
            self._waiting -= 1

    def _refuse_in_vain(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._hung < _MOST_HUNG:
            return
        if now < self._next_try:
            raise Unavailable("What checks log-ins does not answer. Please try again in a few minutes.")
        _log.error(
            "%s does not return, %d times in a row: one log-in a minute is tried", self._name, self._hung
        )
        self._next_try = now + _TRY_EVERY

    async def _run(self, call: Callable[[], Any]) -> Any:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                result, error = context.run(call), None
            except BaseException as raised:
                result, error = None, raised
            with suppress(RuntimeError):  # the hub has stopped meanwhile
                loop.call_soon_threadsafe(_settle, outcome, result, error)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        try:
            return await outcome
        finally:
            self._hung = self._hung + 1 if outcome.cancelled() else 0


def _settle(outcome: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if outcome.cancelled():
        return
    if error is None:
        outcome.set_result(result)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        outcome.set_exception(error)
    else:
        wrapped = RuntimeError(f"The call raised {type(error).__name__}")
        wrapped.__cause__ = error
        outcome.set_exception(wrapped)


@cache
def can_wait(function: Callable[..., Any]) -> bool:
    """Tell whether a function may give way to others while it waits, by how it is written.

    Plain functions and coroutines without any `await` cannot: whatever they wait for, all wait with them.
    """
    inner = inspect.unwrap(function)
    if inspect.iscoroutinefunction(inner):
        return _waits(inner)
    return inspect.isgeneratorfunction(inner) or getattr(function, "__tornado_coroutine__", False)


def finish(answer: Any, *, with_loop: bool) -> Any:
    """Return what a coroutine comes to that waits for nothing, and anything else as it is; for a thread.

    One that does wait is run `with_loop`, an event loop of its own, or is left to the caller.
    """
    if not inspect.iscoroutine(answer):
        return answer
    if _waits(answer.cr_code):
        return asyncio.run(answer) if with_loop else answer
    try:
        answer.send(None)
    except StopIteration as end:
        return end.value
    answer.close()
    raise RuntimeError("The coroutine waits although it has no await")


def _waits(code: Any) -> bool:
    return any(instruction.opname in _WAITING for instruction in dis.get_instructions(code))


def needs_loop(error: BaseException) -> bool:
    """Tell whether a call in a thread failed for want of the hub's event loop."""
    return isinstance(error, RuntimeError) and "event loop" in str(error)


def is_ours(method: Any) -> bool:
    """Tell whether a method is Carrel's own."""
    # What stands in a configuration file belongs to no module.
    return str(method.__module__).startswith(f"{__package__}.")


class Calls:
    """Calls of one authenticator's `authenticate`: where it would keep the whole hub waiting, in a thread."""

    def __init__(self) -> None:
        self._threads: Threads | None = None

    async def authenticate(self, authenticator: Any, handler: Any, data: Any) -> Any:
        """Return what `authenticate` answers; raises what it raises, and Unavailable as `Threads.run`."""
        if not _blocks(authenticator):
            return await resolve(authenticator.authenticate(handler, data))
        if self._threads is None:
            name = f"{type(authenticator).__name__}.authenticate"
            self._threads = Threads(name, authenticator.login_threads)
        asked = bool(authenticator.authenticate_in_thread)
        try:
            answer = await self._threads.run(
                lambda: finish(authenticator.authenticate(handler, data), with_loop=asked)
            )
            # What a plain function returns may be something to wait for all the same.
            return await resolve(answer)
        except RuntimeError as error:
            if asked or not needs_loop(error):
                raise
            authenticator.log.warning("authenticate needs the hub's event loop: it is not called in a thread")
            authenticator.authenticate_in_thread = False
            return await resolve(authenticator.authenticate(handler, data))


def _blocks(authenticator: Any) -> bool:
    if authenticator.authenticate_in_thread is not None:
        return bool(authenticator.authenticate_in_thread)
    method = type(authenticator).authenticate
    # Carrel's own do not.
    return not is_ours(method) and not can_wait(method)
