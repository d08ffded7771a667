"""Calling plug-ins that may answer at once, later, or never."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: What comes back from a call that nobody waits for any more, once it ends.
Late = Callable[["asyncio.Future[Any]"], None]

_GRACE = 2.0
#: Less than this is nothing, in seconds: by a clock's rounding there might always be a little left.
_MOMENT = 0.001
_KEPT = 3600.0


class TookTooLong(TimeoutError):
    """The limit of a call has passed; other TimeoutErrors are the called one's own."""


class CancelledItself(RuntimeError):
    """A call ended as if its caller had been told to end, and it was not."""


async def resolve(value: Any) -> Any:
    """Return `value`, awaiting it first when it is a coroutine, a future or anything else awaitable.

    Plain functions, `async def` and old generator coroutines can then be called alike.
    """
    if inspect.isawaitable(value):
        return await value
    return value


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function` returns, or raise what it raises; it runs in a thread.

    Nobody can stop a thread: a caller who is cancelled goes on when it has ended, so that what is done next
    does not overtake it. A second cancellation does not wait.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        work.add_done_callback(_heard)
        await asyncio.wait((work,))
        raise


async def resolve_within(value: Any, seconds: float | Callable[[], float], late: Late | None = None) -> Any:
    """Return `resolve(value)`; raise TookTooLong when that takes longer than `seconds`.

    A limit that may change on the way is a function of nothing: how many seconds are left. It is asked again
    each time that so many have passed, so one that may come down has to be asked often.

    Then, and when the caller is cancelled, the work is cancelled too. What does not end even so within two
    more seconds is left behind, and `late` is called with it if it ends one day. A call that cancels or exits
    itself raises CancelledItself or a RuntimeError: it is not the caller that was told to end.
    """
    if not inspect.isawaitable(value):
        return value
    task = asyncio.ensure_future(_contained(value))
    task.add_done_callback(lambda _: _close_unbegun(value))
    try:
        await _wait(task, seconds)
    except asyncio.CancelledError:
        await _let_go(task, late)
        raise
    if not task.done():
        await _let_go(task, late)
        raise TookTooLong(
            "It took too long." if callable(seconds) else f"It took longer than {seconds:g} seconds."
        )
    if task.cancelled():
        raise CancelledItself("The call cancelled itself")
    return task.result()


async def _wait(task: asyncio.Task[Any], seconds: float | Callable[[], float]) -> None:
    if not callable(seconds):
        await asyncio.wait((task,), timeout=seconds)
        return
    while not task.done() and (left := seconds()) > _MOMENT:
        await asyncio.wait((task,), timeout=left)


async def _contained(value: Any) -> Any:
    try:
        return await value
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"The call raised {type(error).__name__}") from error


def _close_unbegun(value: Any) -> None:
    """Close a coroutine whose task was cancelled before its first step."""
    if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
        value.close()


async def _let_go(task: asyncio.Task[Any], late: Late | None) -> None:
    task.cancel()
    try:
        await asyncio.wait((task,), timeout=_GRACE)
    finally:
        task.add_done_callback(_heard)
        if not task.done():
            if late is not None:
                task.add_done_callback(late)
            # The loop holds tasks weakly, and this one may have left something to undo.
            asyncio.get_running_loop().call_later(_KEPT, task.done)


def _heard(task: asyncio.Future[Any]) -> None:
    """Look at an error that nobody waits for, so that nobody complains of it."""
    if not task.cancelled():
        task.exception()
