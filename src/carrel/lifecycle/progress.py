"""Saying what a start is doing, for the pending page and the API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from carrel.core.context import HubContext
from carrel.core.servers import outcome
from carrel.domain.events import ServerProgress
from carrel.domain.servers import Server
from carrel.spawners.base import Spawner

_log = logging.getLogger("carrel.lifecycle")


def say(ctx: HubContext, server: Server, progress: int, message: str) -> None:
    """Publish a step of the start that `server` is in."""
    ctx.progress.say(ServerProgress(server.id, server.generation, progress, message))


def say_outcome(ctx: HubContext, server: Server) -> None:
    """Publish how the start of `server` ended."""
    ctx.progress.say(outcome(ctx, server))


@asynccontextmanager
async def relay(ctx: HubContext, server: Server, driver: Spawner) -> AsyncIterator[None]:
    """Publish what the driver's own `progress()` yields while the block runs."""
    task = asyncio.create_task(_relay(ctx, server, driver), name=f"progress of server {server.id}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _relay(ctx: HubContext, server: Server, driver: Spawner) -> None:
    try:
        async for event in driver.progress():
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
