"""Servers that choose their port themselves, on a machine that nobody knew when they were started."""

from __future__ import annotations

from urllib.parse import urlsplit

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import reload_server
from carrel.domain.errors import Conflict, Forbidden, Unavailable
from carrel.domain.events import ServerChanged, ServerSpoke
from carrel.domain.servers import Actual
from carrel.domain.tokens import Token

#: For how long it is waited that somebody takes it up, in seconds.
_LIMIT = 30.0
#: How often it is said again, in seconds: the start may have no hub for a moment.
_AGAIN = 1.0


async def tell_port(ctx: HubContext, caller: Caller, port: int) -> None:
    """Tell the start of a server, which asks with its own token, on which port it listens.

    Returns once the server's row has the address, so whoever got an answer need not say it again; may be
    repeated. Raises Forbidden for any other token, Conflict when no start waits for it, and Unavailable when
    nobody has taken it up: say it again then.
    """
    token = caller.token
    if not isinstance(token, Token) or token.server_id is None:
        raise Forbidden("Only a server may say where it is, with its own token.")
    server_id, clock = token.server_id, ctx.clock
    until = clock.monotonic() + _LIMIT
    with ctx.bus.watch(ServerChanged, server_id=server_id) as watch:
        while True:
            row = await reload_server(ctx, server_id)
            if row is None or row.actual not in (Actual.STARTING, Actual.RUNNING):
                raise Conflict("No start waits for this server.")
            if row.url:
                if urlsplit(row.url).port != port:
                    raise Conflict("This server is known to be at another port.")
                return
            if clock.monotonic() >= until:
                raise Unavailable("No hub has taken it up; say it again.")
            ctx.bus.publish(ServerSpoke(server_id, row.generation, port))
            await watch.next_within(_AGAIN)
