"""Records that the suite for stores puts in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from carrel.domain.oauth import Grant, OAuthClient, OAuthCode
from carrel.domain.servers import Server
from carrel.domain.tokens import Token
from carrel.domain.users import User
from carrel.storage.base import Store

NOW = 1_700_000_000.25
NAMES = ("ada", "Äsop", "李雷", "o'hara; --", "a%b_c/d")


async def add_user(store: Store, name: str = "ada") -> User:
    """Return a new user."""
    async with store.write() as tx:
        return await tx.users.create(name, admin=False, now=NOW)


async def add_server(store: Store, user: User, name: str = "", **changes: Any) -> Server:
    """Return a new server with `changes` made to its record."""
    async with store.write() as tx:
        server = await tx.servers.create(user.id, name, now=NOW)
        saved = await tx.servers.save(replace(server, **changes))
    assert saved is not None
    return saved


def token_of(user: User, hashed: str, **changes: Any) -> Token:
    """Return a token's record, not yet stored."""
    token = Token(0, user.id, user.name, hashed[:4], hashed, ("inherit", "read:users!user"), NOW)
    return replace(token, **changes)


def client_of(server: Server, client_id: str = "jupyterhub-user-ada") -> OAuthClient:
    """Return an OAuth client's record, not yet stored."""
    return OAuthClient(
        client_id, "digest", "/user/ada/oauth_callback", ("access:servers",), (), "x", server.id
    )


def grant_of(user: User, key: str, **changes: Any) -> Grant:
    """Return a grant's record, not yet stored."""
    scopes = ("access:servers!server=ada/",)
    grant = Grant(key, "first", "jupyterhub-user-ada", user.id, None, scopes, NOW - 5, NOW + 5, 7)
    return replace(grant, **changes)


def code_of(user: User, hashed: str, expires: float = NOW + 300) -> OAuthCode:
    """Return a code's record, not yet stored."""
    scopes = ("access:servers!server=ada/",)
    return OAuthCode(hashed, "jupyterhub-user-ada", user.id, None, "/cb", scopes, expires, "c", "S256")
