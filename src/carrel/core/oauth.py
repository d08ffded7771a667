"""What the OAuth provider does to the database: clients of servers, codes, and the tokens they turn into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.access import towards
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.tokens import new_record
from carrel.domain.errors import Forbidden, NotFound
from carrel.domain.names import client_id, server_prefix
from carrel.domain.oauth import CODE_LIFETIME, OAuthClient, OAuthCode
from carrel.domain.scopes import access_scopes
from carrel.domain.servers import Server
from carrel.domain.tokens import Token
from carrel.lib.ids import digest, new_secret

_DAY = 86400.0
_IDENTITY = ("read:users:name!user", "read:users:groups!user")


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """What a visitor's browser asked for at the authorize page, already validated."""

    client: OAuthClient
    redirect_uri: str
    scopes: tuple[str, ...]
    code_challenge: str = ""
    code_challenge_method: str = ""


def client_of_server(server: Server, base_url: str, token_hash: str) -> OAuthClient:
    """Return the OAuth client of a server; its secret is the server's API token."""
    prefix = server_prefix(base_url, server.user_name, server.name)
    return OAuthClient(
        client_id=client_id(server.user_name, server.name),
        hashed_secret=token_hash,
        redirect_uri=f"{prefix}oauth_callback",
        access_scopes=access_scopes(server.user_name, server.name),
        description=f"Server at {prefix}",
        server_id=server.id,
    )


async def get_client(ctx: HubContext, wanted: str) -> OAuthClient | None:
    """Return the client with an id."""
    async with ctx.store.read() as tx:
        return await tx.oauth.get_client(wanted)


async def require_access(ctx: HubContext, caller: Caller, client: OAuthClient) -> bool:
    """Return whether no confirmation is needed: by the caller's own servers, and services that say so.

    Raises Forbidden when the caller may not visit it at all, or has only a token: what the code is worth
    would be the user's, and not the token's. Raises NotFound when its server is gone.
    """
    if caller.token is not None:
        raise Forbidden("Log in with a browser to visit a server; its own API takes the token.")
    async with ctx.store.read() as tx:
        server = None if client.server_id is None else await tx.servers.get_by_id(client.server_id)
        service = await tx.services.of_client(client.client_id) if server is None else None
    if service is not None:
        if not any(map(caller.covers, client.access_scopes)):
            raise Forbidden("You do not have permission to access this service.")
        return service.no_confirm
    if server is None:
        raise NotFound("No such server")
    visitor = await towards(ctx, caller, [server.user_name])
    if not any(map(visitor.covers, client.access_scopes)):
        raise Forbidden("You do not have permission to access this server.")
    return server.user_id == caller.user.id


async def issue_code(ctx: HubContext, caller: Caller, request: CodeRequest) -> str:
    """Return a fresh authorization code, good once and for five minutes."""
    code = new_secret()
    record = OAuthCode(
        hashed=digest(code),
        client_id=request.client.client_id,
        user_id=caller.user.id,
        session_id=caller.session_id,
        redirect_uri=request.redirect_uri,
        scopes=request.scopes,
        expires=ctx.clock.now() + CODE_LIFETIME,
        code_challenge=request.code_challenge,
        code_challenge_method=request.code_challenge_method,
    )
    async with ctx.store.write() as tx:
        await tx.oauth.add_code(record)
    return code


async def take_code(ctx: HubContext, code: str) -> OAuthCode | None:
    """Return what a code stands for and spend it; None when unknown, spent or expired."""
    async with ctx.store.write(durable=True) as tx:
        record = await tx.oauth.take_code(digest(code))
    if record is None or ctx.clock.now() >= record.expires:
        return None
    return record


def token_lifetime(ctx: HubContext) -> float:
    """Return how long a token that a client gets is good, in seconds: as long as a log-in."""
    return ctx.settings.cookie_max_age_days * _DAY


async def redeem(ctx: HubContext, client: OAuthClient, code: OAuthCode, secret: str) -> Token:
    """Store `secret` as a token of the code's user, limited to what `granted` says.

    Raises NotFound when the user is gone.
    """
    now = ctx.clock.now()
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get_by_id(code.user_id)
        if user is None:
            raise NotFound("No such user")
        return await tx.tokens.add(
            new_record(
                user,
                secret,
                granted(client, code.scopes),
                now=now,
                note=f"OAuth client {client.client_id}",
                expires=now + token_lifetime(ctx),
                client_id=client.client_id,
                session_id=code.session_id,
            )
        )


def granted(client: OAuthClient, asked: Sequence[str]) -> tuple[str, ...]:
    """Return what a client gets: who the visitor is, access, and of what it asked for what it may have."""
    allowed = [scope for scope in asked if scope in client.allowed_scopes]
    return tuple(dict.fromkeys((*_IDENTITY, *client.access_scopes, *allowed)))
