"""Saying what a start is doing, for the pending page and the API."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from carrel.core.context import HubContext
from carrel.core.servers import outcome
from carrel.domain.events import ServerProgress, Work, WorkDone
from carrel.domain.servers import Server
from carrel.lib.clock import Timestamp
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Waiting

_PATIENCE = 1.0
_log = logging.getLogger("carrel.lifecycle")


def say(ctx: HubContext, server: Server, progress: int, message: str) -> None:
    """Publish a step of the start that `server` is in."""
    ctx.progress.say(ServerProgress(server.id, server.generation, progress, message))


def say_queued(ctx: HubContext, server: Server, waiting: Waiting | None, *, before: Waiting | None) -> None:
    """Publish how a start stands in the queue of its back end, unless that is what was said `before`."""
    now = ctx.clock.now()
    if waiting is None:
        step = ServerProgress(server.id, server.generation, 30, "Its turn has come", queued=False)
    else:
        text = queue_text(waiting, now)
        if before is not None and text == queue_text(before, now):
            return
        step = ServerProgress(
            server.id,
            server.generation,
            25,
            text,
            queued=True,
            ahead=waiting.ahead,
            expected=waiting.expected,
        )
    ctx.progress.say(step)


def queue_text(waiting: Waiting, now: Timestamp) -> str:
    """Say how a start stands in the queue of its back end."""
    text = "Waiting in the queue"
    if waiting.ahead is not None:
        text += ": it is next" if not waiting.ahead else f": {waiting.ahead} before it"
    if waiting.expected is not None and waiting.expected > now:
        text += f", expected to begin in {_about(waiting.expected - now)}"
    return f"{text}. {waiting.reason}".strip() if waiting.reason else text


def _about(seconds: float) -> str:
    for name, size in (("day", 86400), ("hour", 3600)):
        if seconds >= 2 * size:
            return f"about {round(seconds / size)} {name}s"
    minutes = math.ceil(seconds / 60)
    return f"about {minutes} minutes" if minutes > 1 else "about a minute"


def say_outcome(ctx: HubContext, server: Server) -> None:
    """Publish how the start of `server` ended, and how long it took from the wish on."""
    failure = server.failure
    seconds = max(0.0, ctx.clock.now() - server.wished)
    how = ("success", "") if failure is None else ("failure", failure.code)
    ctx.bus.publish(WorkDone(Work.START, seconds, *how))
    ctx.progress.say(outcome(ctx, server))


@asynccontextmanager
async def relay(ctx: HubContext, server: Server, driver: Spawner) -> AsyncIterator[asyncio.Event]:
    """Publish what the driver's own `progress()` yields from when the event is set to the block's end."""
    begun = asyncio.Event()
    task = asyncio.create_task(_relay(ctx, server, driver, begun), name=f"progress of server {server.id}")
    try:
        yield begun
    finally:
        task.cancel()
        # One that ignores it is left behind: what it says goes to a start that is over.
        await asyncio.wait((task,), timeout=_PATIENCE)


async def _relay(ctx: HubContext, server: Server, driver: Spawner, begun: asyncio.Event) -> None:
    await begun.wait()
    try:
        # It may be a method, and a property that is one or what that returns.
        events = driver.progress
        async for event in events() if callable(events) else events:
            step = ServerProgress(
                server.id,
                server.generation,
                min(int(event.get("progress", 50)), 99),
                str(event.get("message", "")),
                html_message=str(event.get("html_message", "")),
            )
            ctx.progress.say(step)
    except Exception:
        _log.exception("The progress() of %s failed; the start goes on", type(driver).__name__)
