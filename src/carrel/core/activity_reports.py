"""What servers tell the hub about when they were used."""

from __future__ import annotations

from collections.abc import Mapping

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid, NotFound
from carrel.lib.clock import Timestamp, isoformat

#: How far a reporter's clock may be ahead of ours, in seconds.
_TOLERANCE = 59 * 60.0
#: The end of the year 9999: no later moment can be written as text.
_LAST_MOMENT = 253402300799.0


async def report(
    ctx: HubContext,
    caller: Caller,
    user_name: str,
    moment: Timestamp | None,
    servers: Mapping[str, Timestamp],
) -> None:
    """Note when a user and some of their servers were last active.

    Moments only move forward and are written within a second or so. Raises Invalid for an unknown server and
    for a moment in the future, NotFound for an unknown user.
    """
    caller.require("users:activity", user=user_name)
    latest = min(max((*servers.values(), moment or 0.0)), _LAST_MOMENT)
    if latest > ctx.clock.now() + _TOLERANCE:
        raise Invalid(f"Rejecting activity from more than an hour in the future: {isoformat(latest)}")
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound(f"No such user: {user_name!r}")
        known = {server.name: server for server in await tx.servers.of_users([user.id])}
    unknown = sorted(servers.keys() - known.keys())
    if unknown:
        raise Invalid(f"No such server {unknown[0]!r} for user {user_name}")
    if moment is not None:
        ctx.activity.user(user.id, moment, user.last_activity)
    for name, seen in servers.items():
        ctx.activity.server(known[name].id, seen, known[name].last_activity)
