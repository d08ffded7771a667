"""Handing what a server says of its port to the driver that starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from carrel.core.context import HubContext
from carrel.domain.events import Event, ServerSpoke
from carrel.domain.servers import Server
from carrel.spawners.base import Spawner


@contextmanager
def hearing(ctx: HubContext, row: Server, driver: Spawner) -> Iterator[None]:
    """Let the driver hear on which port the server of this run says that it listens, while the block runs."""

    def hear(event: Event) -> None:
        if isinstance(event, ServerSpoke) and (event.server_id, event.generation) == (row.id, row.generation):
            driver.heard(event.port)

    ctx.bus.listen(hear)
    try:
        yield
    finally:
        ctx.bus.unlisten(hear)
