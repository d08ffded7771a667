"""`jupyterhub.utils`: the small functions that plug-ins and configurations take from it."""

import asyncio
import concurrent.futures
import inspect
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from carrel.compat.handlers.access import admin_only, authenticated_403
from carrel.lib.ids import compare_token, hash_token, new_token
from carrel.lib.net import free_port

__all__ = [
    "admin_only",
    "authenticated_403",
    "compare_token",
    "exponential_backoff",
    "get_browser_protocol",
    "hash_token",
    "isoformat",
    "maybe_future",
    "new_token",
    "random_port",
    "url_escape_path",
    "url_path_join",
    "utcnow",
]


def random_port() -> int:
    """Return a TCP port that nothing listens on just now."""
    return free_port()


def utcnow(*, with_tz: bool = True) -> datetime:
    """Return the time in UTC; without `with_tz` it does not say so."""
    now = datetime.now(UTC)  # noqa: TID251 - a function of plug-ins, which have no injected clock
    return now if with_tz else now.replace(tzinfo=None)


def isoformat(dt: datetime | None) -> str | None:
    """Return a time in UTC as `2026-01-31T12:00:00.000000Z`, or None for none."""
    if dt is None:
        return None
    naive = dt.astimezone(UTC).replace(tzinfo=None) if dt.tzinfo else dt
    return f"{naive.isoformat()}Z"


def url_path_join(*pieces: str) -> str:
    """Return pieces of a path joined by one slash each; those at the two ends stay as they are."""
    inner = [piece.strip("/") for piece in pieces]
    joined = "/".join(piece for piece in inner if piece)
    begin = "/" if pieces and pieces[0].startswith("/") else ""
    end = "/" if pieces and pieces[-1].endswith("/") else ""
    return f"{begin}{joined}{end}" if joined else begin or end


def url_escape_path(value: str) -> str:
    """Return `value` as one segment of a path."""
    return quote(value, safe="@~")


def get_browser_protocol(request: Any) -> str:
    """Return `http` or `https`, as the visitor's browser speaks it; the hub has decided whom to believe."""
    return str(request.protocol)


def maybe_future(obj: Any) -> "asyncio.Future[Any]":
    """Return a future for `obj`: what can be awaited is, and everything else is its result already."""
    if isinstance(obj, asyncio.Future):
        return obj
    if isinstance(obj, concurrent.futures.Future):
        return asyncio.wrap_future(obj)
    if inspect.isawaitable(obj):
        return asyncio.ensure_future(obj)
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done.set_result(obj)
    return done


async def exponential_backoff(
    pass_func: Callable[..., Any],
    fail_message: str,
    start_wait: float = 0.2,
    scale_factor: float = 2,
    max_wait: float = 5,
    timeout: float = 10,
    timeout_tolerance: float = 0.1,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Return the first true answer of `pass_func`, asked again after ever longer, partly random waits.

    Times are in seconds. Raises TimeoutError with `fail_message` after `timeout`, varied by up to the part
    `timeout_tolerance` of it. What `pass_func` raises passes through.
    """
    loop = asyncio.get_running_loop()
    tolerance = timeout_tolerance * timeout
    deadline = loop.time() + timeout + random.uniform(-tolerance, tolerance)  # noqa: S311 - spreads load
    scale = 1.0
    while True:
        answer = pass_func(*args, **kwargs)
        if isinstance(answer, Awaitable | concurrent.futures.Future):
            answer = await maybe_future(answer)
        if answer:
            return answer
        left = deadline - loop.time()
        if left < 0:
            raise TimeoutError(fail_message)
        limit = min(max_wait, start_wait * scale)
        if limit < max_wait:
            scale *= scale_factor
        await asyncio.sleep(min(left, random.uniform(0, limit)))  # noqa: S311 - spreads load
