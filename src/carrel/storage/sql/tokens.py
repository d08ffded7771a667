"""API tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import (
    BindParameter,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from carrel.domain.tokens import Token
from carrel.lib.clock import Timestamp
from carrel.storage.sql.columns import MOST_SALTED, is_salted, to_json, to_scopes
from carrel.storage.sql.engine import Link, Row, Value
from carrel.storage.sql.tables import oauth_clients, oauth_grants, tokens, users

_ADD = (
    insert(tokens)
    .values({c: bindparam(c.name) for c in tokens.c if c is not tokens.c.id})
    .returning(tokens.c.id)
)
_SELECT = select(
    tokens.c.id,
    tokens.c.user_id,
    users.c.name,
    tokens.c.prefix,
    tokens.c.hashed,
    tokens.c.scopes,
    tokens.c.created,
    tokens.c.note,
    tokens.c.client_id,
    tokens.c.session_id,
    tokens.c.server_id,
    tokens.c.last_activity,
    tokens.c.expires,
).join(users, users.c.id == tokens.c.user_id)
_FIND = _SELECT.where(tokens.c.prefix == bindparam("prefix"), tokens.c.hashed == bindparam("hashed"))
_SALTED = (
    _SELECT.where(tokens.c.prefix == bindparam("prefix"), is_salted(tokens.c.hashed))
    .order_by(func.length(tokens.c.hashed), tokens.c.id)
    .limit(bindparam("limit"))
    .offset(literal_column("0"))
)
_REHASH = update(tokens).values(hashed=bindparam("digest")).where(tokens.c.id == bindparam("key"))
_GET = _SELECT.where(tokens.c.id == bindparam("id"))
_OF_USER = _SELECT.where(tokens.c.user_id == bindparam("user_id")).order_by(tokens.c.id)
_DELETE = delete(tokens).where(tokens.c.id == bindparam("id"))
_DELETE_OF_CLIENT = delete(tokens).where(
    tokens.c.user_id == bindparam("user_id"), tokens.c.client_id == bindparam("client_id")
)
_DELETE_ALL_OF_CLIENT = delete(tokens).where(tokens.c.client_id == bindparam("client_id"))
_DELETE_OF_SERVER = delete(tokens).where(
    or_(
        tokens.c.server_id == bindparam("server_id"),
        tokens.c.client_id.in_(
            select(oauth_clients.c.client_id).where(oauth_clients.c.server_id == bindparam("server_id"))
        ),
    )
)
_DELETE_OF_SESSION = delete(tokens).where(tokens.c.session_id == bindparam("session_id"))
# By the token of a grant its owner finds the grant, and can end it.
_PURGE = delete(tokens).where(
    tokens.c.expires <= bindparam("now"),
    ~exists(select(oauth_grants.c.id).where(oauth_grants.c.token_id == tokens.c.id)),
)
_AT: BindParameter[float] = bindparam("at")
_TOUCH = (
    update(tokens)
    .values(last_activity=_AT)
    .where(
        tokens.c.id == bindparam("key"),
        or_(tokens.c.last_activity.is_(None), tokens.c.last_activity < _AT),
    )
)


class SqlTokens:
    """See `carrel.storage.tokens`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, token: Token) -> Token:
        values: dict[str, Value] = {
            "user_id": token.user_id,
            "prefix": token.prefix,
            "hashed": token.hashed,
            "scopes": to_json(token.scopes),
            "created": token.created,
            "note": token.note,
            "client_id": token.client_id,
            "session_id": token.session_id,
            "server_id": token.server_id,
            "last_activity": token.last_activity,
            "expires": token.expires,
        }
        [(token_id,)] = await self._link.rows(_ADD, values)
        return replace(token, id=token_id)

    async def find(self, prefix: str, hashed: str) -> Token | None:
        rows = await self._link.rows(_FIND, {"prefix": prefix, "hashed": hashed})
        return _token(rows[0]) if rows else None

    async def salted(self, prefix: str) -> Sequence[Token]:
        return [
            _token(row) for row in await self._link.rows(_SALTED, {"prefix": prefix, "limit": MOST_SALTED})
        ]

    async def rehash(self, token_id: int, hashed: str) -> None:
        await self._link.change(_REHASH, {"key": token_id, "digest": hashed})

    async def get(self, token_id: int) -> Token | None:
        rows = await self._link.rows(_GET, {"id": token_id})
        return _token(rows[0]) if rows else None

    async def of_user(self, user_id: int) -> Sequence[Token]:
        return [_token(row) for row in await self._link.rows(_OF_USER, {"user_id": user_id})]

    async def delete(self, token_id: int) -> bool:
        return await self._link.change(_DELETE, {"id": token_id}) > 0

    async def delete_of_client(self, user_id: int, client_id: str) -> int:
        return await self._link.change(_DELETE_OF_CLIENT, {"user_id": user_id, "client_id": client_id})

    async def delete_all_of_client(self, client_id: str) -> int:
        return await self._link.change(_DELETE_ALL_OF_CLIENT, {"client_id": client_id})

    async def delete_of_server(self, server_id: int) -> int:
        return await self._link.change(_DELETE_OF_SERVER, {"server_id": server_id})

    async def delete_of_session(self, session_id: str) -> int:
        return await self._link.change(_DELETE_OF_SESSION, {"session_id": session_id})

    async def touch(self, moments: Mapping[int, Timestamp]) -> None:
        await self._link.change_many(_TOUCH, [{"key": key, "at": moments[key]} for key in sorted(moments)])

    async def purge(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE, {"now": now})


def _token(row: Row) -> Token:
    token_id, user_id, user_name, prefix, hashed, scopes, *rest = row
    return Token(token_id, user_id, user_name, prefix, hashed, to_scopes(scopes), *rest)
