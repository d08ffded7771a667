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

#: How many log-ins that nobody waits for any more may hang, for each that may be under way.
_LEFT_BEHIND = 4
#: What a coroutine needs to wait for anything.
_WAITING = frozenset({"GET_AWAITABLE", "GET_AITER", "GET_ANEXT"})
_log = logging.getLogger("carrel.auth")


class Threads:
    """Threads of one authenticator, at most `most` that somebody waits for."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._waited_for = 0
        self._left = 0

    async def run(self, call: Callable[[], Any]) -> Any:
        """Return what `call` returns, and raise what it raises, from a thread of its own.

        When the caller is cancelled the thread goes on by itself. Raises Unavailable when too many are under
        way, or hang: others need not wait behind them.
        """
        if self._waited_for >= self._most:
            raise Unavailable("Too many log-ins are being checked right now. Please try again in a moment.")
        if self._left >= self._most * _LEFT_BEHIND:
            _log.error(
                "%d calls of %s hang: no log-in is tried until one of them ends", self._left, self._name
            )
            raise Unavailable("What checks log-ins does not answer. Please try again later.")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                result, error = context.run(call), None
            except BaseException as raised:
                result, error = None, raised
            with suppress(RuntimeError):  # the hub has stopped meanwhile
                loop.call_soon_threadsafe(self._end, outcome, result, error)

        self._waited_for += 1
        threading.Thread(target=work, name=self._name, daemon=True).start()
        try:
            return await outcome
        finally:
            self._waited_for -= 1
            if outcome.cancelled():
                self._left += 1

    def _end(self, outcome: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        if outcome.cancelled():
            self._left -= 1
        elif error is None:
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
