"""What a server's run leaves behind: processes, routes, tokens, OAuth clients."""

from __future__ import annotations

from carrel.domain.names import client_id
from carrel.domain.tokens import Token
from carrel.testing.hub import TrialHub


async def server_tokens(hub: TrialHub, name: str = "ada") -> list[Token]:
    """Return the tokens that a user's server was given."""
    async with hub.ctx.store.read() as tx:
        user = await tx.users.get(name)
        tokens = [] if user is None else await tx.tokens.of_user(user.id)
    return [token for token in tokens if token.server_id is not None]


async def traces(hub: TrialHub, name: str = "ada") -> set[str]:
    """Return the kinds of things that exist of a user's server."""
    found = set()
    if hub.world.alive():
        found.add("process")
    if hub.proxy.specs():
        found.add("route")
    if await server_tokens(hub, name):
        found.add("token")
    async with hub.ctx.store.read() as tx:
        if await tx.oauth.get_client(client_id(name)) is not None:
            found.add("client")
    return found


ALL = {"process", "route", "token", "client"}
