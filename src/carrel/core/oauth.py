"""The clients of the OAuth provider: servers, services and other applications, and who may visit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.access import towards
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden, NotFound
from carrel.domain.events import ClientEnded
from carrel.domain.hosts import Hosts
from carrel.domain.names import client_id, server_prefix
from carrel.domain.oauth import USUAL_CLAIMS, OAuthClient, with_own_filters
from carrel.domain.scopes import access_scopes
from carrel.domain.servers import Server
from carrel.domain.services import service_access_scopes
from carrel.storage.base import Store, Transaction


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who may visit a client."""

    client: OAuthClient
    owner: str = ""
    """Whose server it is; empty for services and other applications."""
    own: bool = False
    """Whether it is the visitor's own server."""


def client_of_server(
    server: Server, hosts: Hosts, token_hash: str, allowed: Sequence[str] = ()
) -> OAuthClient:
    """Return the OAuth client of a server; its secret is the server's API token."""
    prefix = server_prefix(hosts.base_url, server.user_name, server.name)
    return with_own_filters(
        OAuthClient(
            client_id=client_id(server.user_name, server.name),
            hashed_secret=token_hash,
            redirect_uri=f"{hosts.server_url(server.user_name, server.name)}oauth_callback",
            access_scopes=access_scopes(server.user_name, server.name),
            allowed_scopes=tuple(allowed),
            description=f"Server at {prefix}",
            server_id=server.id,
        )
    )


def client_of_service(
    name: str,
    token_hash: str,
    redirect_uri: str,
    *,
    client: str = "",
    allowed: Sequence[str] = (),
    confirm: bool = True,
) -> OAuthClient:
    """Return the OAuth client of a service; its secret is the service's API token."""
    return with_own_filters(
        OAuthClient(
            client_id=client or f"service-{name}",
            hashed_secret=token_hash,
            redirect_uri=redirect_uri,
            access_scopes=service_access_scopes(name),
            allowed_scopes=(*allowed, *USUAL_CLAIMS),
            description=f"Service {name}",
            kind="service",
            confirm=confirm,
        )
    )


async def register_client(tx: Transaction, client: OAuthClient) -> None:
    """Add a client, or replace the one with its id; what was given to its visitors stays good.

    When its address or secret has changed, that ends: it may be somebody else's now.
    """
    known = await tx.oauth.get_client(client.client_id)
    moved = known is not None and (known.hashed_secret, known.redirect_uris) != (
        client.hashed_secret,
        client.redirect_uris,
    )
    if moved:
        await remove_client(tx, client.client_id)
    await tx.oauth.put_client(client)


async def remove_client(tx: Transaction, client: str) -> bool:
    """Remove a client and all that was given to its visitors, at once; tell whether there was one."""
    # The client first, so that no code is exchanged between the two.
    known = await tx.oauth.delete_client(client)
    await tx.tokens.delete_all_of_client(client)
    tx.announce(ClientEnded(client))
    return known


async def load_clients(store: Store, clients: Sequence[OAuthClient]) -> None:
    """Make the external clients those of the configuration; safe to repeat at every start."""
    async with store.read() as tx:
        known = {client.client_id: client for client in await tx.oauth.clients("external")}
    if known == {client.client_id: client for client in clients}:
        return
    async with store.write(durable=True) as tx:
        for gone in known.keys() - {client.client_id for client in clients}:
            await remove_client(tx, gone)
        for client in clients:
            await register_client(tx, client)


async def get_client(ctx: HubContext, wanted: str) -> OAuthClient | None:
    """Return the client with an id."""
    async with ctx.store.read() as tx:
        return await tx.oauth.get_client(wanted)


async def require_access(ctx: HubContext, caller: Caller, client: OAuthClient) -> Visit:
    """Return what the caller visits.

    Raises Forbidden when the caller may not visit it at all, or has only a token: what the code is worth
    would be the user's, and not the token's. Raises NotFound when its server is gone.
    """
    if caller.token is not None:
        raise Forbidden("Log in with a browser to visit a server; its own API takes the token.")
    if client.kind != "server":
        if client.access_scopes and not any(map(caller.covers, client.access_scopes)):
            raise Forbidden("You do not have permission to access this application.")
        return Visit(client)
    async with ctx.store.read() as tx:
        server = None if client.server_id is None else await tx.servers.get_by_id(client.server_id)
    if server is None:
        raise NotFound("No such server")
    visitor = await towards(ctx, caller, [server.user_name])
    if not any(map(visitor.covers, client.access_scopes)):
        raise Forbidden("You do not have permission to access this server.")
    return Visit(client, server.user_name, server.user_id == caller.user.id)
