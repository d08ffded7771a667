"""Calling a driver: each call has a time limit, and what it raises ends here or as evidence of a failure.

Drivers are other people's code. A call may raise, hang, ignore that it is cancelled, answer nonsense or come
back much too late, and none of it reaches another server or the hub. What cannot be bounded is a plain method
that blocks: the whole hub waits for it, so it is measured and named in the log.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from carrel.domain.causes.rule import Stage
from carrel.lib.awaiting import Late, TookTooLong, resolve_within
from carrel.lifecycle.evidence import Course, NotReady
from carrel.lifecycle.patience import Patience
from carrel.spawners.base import Spawner
from carrel.spawners.reports import exit_status

#: How long a poll, a hook after the stop, or reading a log may take, in seconds.
CALL_LIMIT = 30.0
#: How long a plain method may keep the whole hub waiting before the log says so, in seconds.
BLOCKING = 0.25
_LOG_LINES = 50
_LOG_LIMIT = 10.0
_LOG_SIZE = 100_000
_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a start before the driver's own."""

    stage: Stage
    name: str
    """The setting or method, for people."""
    call: Callable[[], Any]


class Life(Enum):
    """What a poll says. Unknown is never dead."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


async def start(
    driver: Spawner,
    hooks: Sequence[Step],
    begin: Callable[[], Awaitable[None]],
    course: Course,
    patience: Patience,
    *,
    late: Late,
) -> str:
    """Run hooks and then the driver's start; return where the server will answer, scheme to port.

    All of it shares what `patience` has, and `begin` is called right before start().
    `course` always says which step is under way. Raises NotReady after the limit, or what a hook, `begin` and
    start() raise. `late` is called when a start that had to be left behind ends after all.
    """
    try:
        await resolve_within(_run_steps(driver, hooks, course), patience.left)
    except TookTooLong:
        raise NotReady(course.late(patience.limit)) from None
    await begin()
    return _placed(driver, await _start(driver, "start", driver.start, course, patience, late))


async def resume(driver: Spawner, course: Course, patience: Patience, *, late: Late) -> str | None:
    """Let the driver go on with a start that was cut off; None when it cannot, else all as `start` does."""
    answer = await _start(driver, "resume_start", driver.resume_start, course, patience, late)
    return None if answer is None else _placed(driver, answer)


async def _start(
    driver: Spawner, name: str, function: Callable[[], Any], course: Course, patience: Patience, late: Late
) -> Any:
    course.enter(Stage.START, f"{name}()")
    driver._start_pending = True
    try:
        return await resolve_within(_begin(driver, name, function), patience.left, late)
    except TookTooLong:
        raise NotReady(course.late(patience.limit, queued=patience.queued)) from None
    finally:
        driver._start_pending = False


def _placed(driver: Spawner, answer: Any) -> str:
    url = endpoint(driver, answer)
    driver.server.place(url)
    return url


async def _run_steps(driver: Spawner, steps: Sequence[Step], course: Course) -> None:
    for step in steps:
        course.enter(step.stage, step.name)
        answer = _begin(driver, step.name, step.call)
        if inspect.isawaitable(answer):
            await answer


def finds_orphans(kind: type[Spawner]) -> bool:
    """Tell whether drivers of this class can say what runs without a checkpoint."""
    return kind.find_orphans is not Spawner.find_orphans


def has_queue(kind: type[Spawner]) -> bool:
    """Tell whether drivers of this class can say that a start waits in the queue of its back end."""
    return (kind.waiting, kind.queue_position) != (Spawner.waiting, Spawner.queue_position)


def resumes(kind: type[Spawner]) -> bool:
    """Tell whether drivers of this class can go on with a start that was cut off."""
    return kind.resume_start is not Spawner.resume_start


async def stop(driver: Spawner, *, now: bool, limit: float) -> None:
    """Run the driver's stop; raises whatever it raises, TimeoutError after `limit` seconds."""
    driver._stop_pending = True
    try:
        await call(driver, "stop", lambda: driver.stop(now=now), limit)
    finally:
        driver._stop_pending = False


async def poll(driver: Spawner) -> tuple[Life, int | None]:
    """Ask the driver whether its server lives; the second value is an exit status.

    An answer that is neither None nor a status, as a number or in words, tells nothing.
    """
    try:
        status = exit_status(await call(driver, "poll", driver.poll, CALL_LIMIT))
        return (Life.ALIVE, None) if status is None else (Life.DEAD, status)
    except Exception:
        _log.exception("%s cannot say whether %s is alive", type(driver).__name__, driver._log_name)
        return Life.UNKNOWN, None


async def is_reached(driver: Spawner) -> bool:
    """Ask the driver whether what answers can be its server; raises what it raises, TimeoutError."""
    return bool(await call(driver, "is_reached", driver.is_reached, CALL_LIMIT))


async def logs(driver: Spawner) -> str:
    """Return the end of what the server wrote, or nothing when the driver cannot say."""
    try:
        text = await call(driver, "logs", lambda: driver.logs(_LOG_LINES), _LOG_LIMIT)
        return str(text or "")[-_LOG_SIZE:]
    except Exception:
        _log.exception("%s cannot read its server's log", type(driver).__name__)
        return ""


def state_of(driver: Spawner, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the driver would find its server by; what is `known` of it when it cannot say."""
    try:
        state = dict(driver.get_state())
        msgspec.json.encode(state)
    except Exception:
        _log.exception("%s has no usable state", type(driver).__name__)
        return known
    return state


async def hook(driver: Spawner, name: str, function: Callable[[], Any]) -> None:
    """Call a hook whose failure changes nothing any more; the log names it."""
    try:
        await call(driver, name, function, CALL_LIMIT)
    except Exception:
        _log.exception("%s of %s failed", name, driver._log_name)


async def call(driver: Spawner, name: str, function: Callable[[], Any], limit: float) -> Any:
    """Return what a function of the driver's gives within `limit` seconds; raises what it raises."""
    return await resolve_within(_begin(driver, name, function), limit)


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


async def tell_auth_state(driver: Spawner) -> None:
    """Hand the driver what the authenticator keeps about the owner."""
    await driver.run_auth_state_hook(await driver.user.get_auth_state())
