"""What a running server uses, asked of its driver; for those who may see the server."""

from __future__ import annotations

import logging

from carrel.core.context import HubContext
from carrel.core.drivers import driver_of
from carrel.domain.names import server_label
from carrel.domain.servers import Server
from carrel.lib.awaiting import resolve_within
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Usage

#: How long a page waits for it, in seconds.
_LIMIT = 2.0
_log = logging.getLogger("carrel.core")


async def usage_of(ctx: HubContext, server: Server) -> Usage | None:
    """Return what a server uses now, None when it does not run, or nobody here can know or say it in time."""
    elsewhere = bool(server.node) and server.node != ctx.peers.node
    if not server.ready or elsewhere:
        return None
    try:
        driver = await driver_of(ctx, server)
        if type(driver).usage is Spawner.usage:
            return None
        found = await resolve_within(driver.usage(), _LIMIT)
    except Exception as error:
        name = server_label(server.user_name, server.name)
        _log.info("What %s uses is not known: %s", name, error)
        return None
    return found if isinstance(found, Usage) else None
