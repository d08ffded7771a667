"""Saying what a start is doing, for the pending page and the API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from carrel.core.context import HubContext
from carrel.core.servers import outcome
from carrel.domain.events import ServerProgress, Work, WorkDone
from carrel.domain.servers import Server
from carrel.spawners.base import Spawner

_PATIENCE = 1.0
_log = logging.getLogger("carrel.lifecycle")


def say(ctx: HubContext, server: Server, progress: int, message: str) -> None:
    """Publish a step of the start that `server` is in."""
    ctx.progress.say(ServerProgress(server.id, server.generation, progress, message))


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
