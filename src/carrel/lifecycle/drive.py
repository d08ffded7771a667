"""Calling a driver: each call has a time limit, and what it raises ends here or in a Failure.

Drivers are other people's code. A call may raise, hang, ignore that it is cancelled, answer nonsense or come
back much too late, and none of it reaches another server or the hub. What cannot be bounded is a plain method
that blocks: the whole hub waits for it, so it is measured and named in the log.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from carrel.domain.errors import CarrelError
from carrel.domain.servers import Failure
from carrel.lib.awaiting import Late, TookTooLong, resolve_within
from carrel.spawners.base import Spawner

#: How long a poll, a hook after the stop, or reading a log may take, in seconds.
CALL_LIMIT = 30.0
#: How long a plain method may keep the whole hub waiting before the log says so, in seconds.
BLOCKING = 0.25
_LOG_LINES = 50
_LOG_LIMIT = 10.0
_LOG_SIZE = 100_000
_log = logging.getLogger("carrel.lifecycle")

#: A step of a start: its name for people, and what to call.
Step = tuple[str, Callable[[], Any]]


class Life(Enum):
    """What a poll says. Unknown is never dead."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


class StartTimeout(Exception):
    """The driver, or a hook before it, did not come back in time."""


class HookFailed(Exception):
    """A deployer's hook raised something; the message names both."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


async def start(
    driver: Spawner, hooks: Sequence[Step], begin: Callable[[], None], *, limit: float, late: Late
) -> str:
    """Run hooks and then the driver's start; return where the server will answer, scheme to port.

    All of it shares `limit` seconds, and `begin` is called right before start(). Raises StartTimeout,
    HookFailed, or what `begin` and start() raise. `late` is called when a start that had to be left behind
    ends after all.
    """
    at = ""

    async def run() -> Any:
        nonlocal at
        for name, hook in hooks:
            at = name
            try:
                await _run(driver, name, hook)
            except Exception as error:
                raise _named(name, error) from error
        begin()
        at = "start()"
        return await _run(driver, "start", driver.start)

    try:
        answer = await resolve_within(run(), limit, late)
    except TookTooLong:
        what = "The server did not start" if at == "start()" else f"{at} did not end"
        raise StartTimeout(f"{what} within {limit:g} seconds.") from None
    return endpoint(driver, answer)


async def stop(driver: Spawner, *, now: bool, limit: float) -> None:
    """Run the driver's stop; raises whatever it raises, TimeoutError after `limit` seconds."""
    await call(driver, "stop", lambda: driver.stop(now=now), limit)


async def poll(driver: Spawner) -> tuple[Life, int | None]:
    """Ask the driver whether its server lives; the second value is an exit status.

    An answer that is neither None nor a number tells nothing.
    """
    try:
        status = await call(driver, "poll", driver.poll, CALL_LIMIT)
        return (Life.ALIVE, None) if status is None else (Life.DEAD, int(status))
    except Exception:
        _log.exception("%s cannot say whether %s is alive", type(driver).__name__, driver._log_name)
        return Life.UNKNOWN, None


async def logs(driver: Spawner) -> str:
    """Return the end of what the server wrote, or nothing when the driver cannot say."""
    try:
        text = await call(driver, "logs", lambda: driver.logs(_LOG_LINES), _LOG_LIMIT)
        return str(text or "")[-_LOG_SIZE:]
    except Exception:
        _log.exception("%s cannot read its server's log", type(driver).__name__)
        return ""


async def hook(driver: Spawner, name: str, function: Callable[[], Any]) -> None:
    """Call a hook whose failure changes nothing any more; the log names it."""
    try:
        await call(driver, name, function, CALL_LIMIT)
    except Exception:
        _log.exception("%s of %s failed", name, driver._log_name)


async def call(driver: Spawner, name: str, function: Callable[[], Any], limit: float) -> Any:
    """Return what a function of the driver's gives within `limit` seconds; raises what it raises."""
    return await resolve_within(_begin(driver, name, function), limit)


async def _run(driver: Spawner, name: str, function: Callable[[], Any]) -> Any:
    answer = _begin(driver, name, function)
    return await answer if inspect.isawaitable(answer) else answer


def _begin(driver: Spawner, name: str, function: Callable[[], Any]) -> Any:
    """Call a function that may block; say so when it did."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        return function()
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"{name} raised {type(error).__name__}") from error
    finally:
        if (took := loop.time() - began) >= BLOCKING:
            kind = type(driver).__name__
            _log.warning(
                "%s: %s kept the whole hub waiting for %.1f seconds (%s): make it async",
                kind, name, took, driver._log_name,
            )  # fmt: skip


def _named(name: str, error: Exception) -> Exception:
    """Return what a hook raised with the hook's name; words that were meant for the user stay as they are."""
    if isinstance(error, CarrelError) or hasattr(error, "jupyterhub_message"):
        return error
    return HookFailed(f"{name}: {_first_line(error)}", _hint(error))


def endpoint(driver: Spawner, answer: Any) -> str:
    """Return `http://host:port` from what `start` returned: a pair, a URL, or nothing with the port set.

    Raises ValueError for anything else.
    """
    kind = type(driver).__name__
    if isinstance(answer, str) and answer:
        return _from_url(kind, answer)
    if answer:
        try:
            ip, port = answer
        except (TypeError, ValueError):
            raise ValueError(f"{kind}.start() returned {answer!r:.80}, not (ip, port) or a URL") from None
    else:
        ip, port = driver.server.ip or driver.ip, driver.server.port or driver.port
    if not port:
        raise ValueError(f"{kind}.start() did not say on which port the server listens")
    try:
        port = int(port)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65536 or any(character in "/?#@ \r\n" for character in str(ip)):
        raise ValueError(f"{kind}.start() returned {answer!r:.80}, which is no address and port")
    host = f"[{ip}]" if ":" in str(ip) else ip or "127.0.0.1"
    return f"{driver.server.proto}://{host}:{port}"


def _from_url(kind: str, answer: str) -> str:
    try:
        parts = urlsplit(answer)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{kind}.start() returned {answer!r:.80}, which is no http:// or https:// URL")
    return f"{parts.scheme}://{parts.netloc}"


def failure_of(error: BaseException) -> Failure:
    """Return what people are told of an exception that a start raised."""
    hint = _hint(error) or "Try again; if it fails again, show this page to the administrator."
    return Failure("start-error", f"The server could not be started: {_first_line(error)}", hint=hint)


def _hint(error: BaseException) -> str:
    """Return what to do about an error, where whoever raised it knew."""
    return str(getattr(error, "hint", ""))


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
