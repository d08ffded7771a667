"""Calling a driver: each call has a time limit, and what it raises ends here or in a Failure."""

from __future__ import annotations

import logging
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from carrel.domain.servers import Failure
from carrel.lib.awaiting import resolve, resolve_within
from carrel.spawners.base import Spawner

#: How long a poll, a hook after the stop, or reading a log may take, in seconds.
CALL_LIMIT = 30.0
_LOG_LINES = 50
_log = logging.getLogger("carrel.lifecycle")


class Life(Enum):
    """What a poll says. Unknown is never dead."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


async def start(driver: Spawner) -> str:
    """Run the driver's start and return where the server will answer, scheme to port."""
    return endpoint(driver, await resolve(driver.start()))


async def stop(driver: Spawner, *, now: bool, limit: float) -> None:
    """Run the driver's stop; raises whatever it raises, TimeoutError after `limit` seconds."""
    await resolve_within(driver.stop(now=now), limit)


async def recall(driver: Spawner) -> None:
    """Let a driver without a checkpoint find what its start has left running; raises whatever it raises.

    A hub that was killed, or an answer that was lost, may come between a process and its checkpoint.
    """
    if driver.get_state():
        return
    for orphan in await resolve_within(driver.find_orphans(()), CALL_LIMIT):
        if (orphan.server_id, orphan.generation) == (driver.server_id, driver.generation):
            driver.load_state(orphan.state)
            return


async def poll(driver: Spawner) -> tuple[Life, int | None]:
    """Ask the driver whether its server lives; the second value is an exit status."""
    try:
        status = await resolve_within(driver.poll(), CALL_LIMIT)
    except Exception:
        _log.exception("%s cannot say whether %s is alive", type(driver).__name__, driver.user.name)
        return Life.UNKNOWN, None
    return (Life.ALIVE, None) if status is None else (Life.DEAD, int(status))


async def logs(driver: Spawner) -> str:
    """Return the end of what the server wrote, or nothing when the driver cannot say."""
    try:
        return str(await resolve_within(driver.logs(_LOG_LINES), CALL_LIMIT))
    except Exception:
        _log.exception("%s cannot read its server's log", type(driver).__name__)
        return ""


def endpoint(driver: Spawner, answer: Any) -> str:
    """Return `http://host:port` from what `start` returned: a pair, a URL, or nothing with the port set."""
    if isinstance(answer, str):
        parts = urlsplit(answer)
        return f"{parts.scheme}://{parts.netloc}"
    if answer:
        ip, port = answer
    else:
        ip, port = driver.server.ip or driver.ip, driver.server.port or driver.port
    if not port:
        raise ValueError(f"{type(driver).__name__}.start() did not say on which port the server listens")
    host = f"[{ip}]" if ":" in str(ip) else ip or "127.0.0.1"
    return f"{driver.server.proto}://{host}:{port}"


def failure_of(error: BaseException) -> Failure:
    """Return what people are told of an exception that a start raised."""
    message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    hint = (
        str(getattr(error, "hint", ""))
        or "Try again; if it fails again, show this page to the administrator."
    )
    return Failure("start-error", f"The server could not be started: {message}", hint=hint)
