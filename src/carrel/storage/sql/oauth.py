"""OAuth clients and codes."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from carrel.domain.oauth import OAuthClient, OAuthCode
from carrel.lib.clock import Timestamp
from carrel.storage.sql.columns import to_json, to_scopes
from carrel.storage.sql.engine import Link, OneOf, Row, Value
from carrel.storage.sql.tables import oauth_clients, oauth_codes

_CLIENT = upsert(oauth_clients).values({c: bindparam(c.name) for c in oauth_clients.c})
# An update in place: removing the old row would take its codes along.
_PUT_CLIENT = _CLIENT.on_conflict_do_update(
    index_elements=["client_id"],
    set_={c.name: _CLIENT.excluded[c.name] for c in oauth_clients.c if not c.primary_key},
)
_GET_CLIENT = select(
    oauth_clients.c.client_id,
    oauth_clients.c.hashed_secret,
    oauth_clients.c.redirect_uri,
    oauth_clients.c.access_scopes,
    oauth_clients.c.allowed_scopes,
    oauth_clients.c.description,
    oauth_clients.c.server_id,
).where(oauth_clients.c.client_id == bindparam("client_id"))
_DESCRIPTIONS = select(oauth_clients.c.client_id, oauth_clients.c.description).where(
    OneOf(oauth_clients.c.client_id, "client_ids")
)
_DELETE_CLIENTS = delete(oauth_clients).where(oauth_clients.c.server_id == bindparam("server_id"))
_DELETE_CLIENT = delete(oauth_clients).where(oauth_clients.c.client_id == bindparam("client_id"))
_ADD_CODE = insert(oauth_codes).values({c: bindparam(c.name) for c in oauth_codes.c})
_TAKE_CODE = (
    delete(oauth_codes)
    .where(oauth_codes.c.hashed == bindparam("hashed"))
    .returning(
        oauth_codes.c.hashed,
        oauth_codes.c.client_id,
        oauth_codes.c.user_id,
        oauth_codes.c.session_id,
        oauth_codes.c.redirect_uri,
        oauth_codes.c.scopes,
        oauth_codes.c.expires,
        oauth_codes.c.code_challenge,
        oauth_codes.c.code_challenge_method,
    )
)
_DELETE_CODES = delete(oauth_codes).where(oauth_codes.c.session_id == bindparam("session_id"))
_PURGE_CODES = delete(oauth_codes).where(oauth_codes.c.expires <= bindparam("now"))


class SqlOAuth:
    """See `carrel.storage.repositories.OAuth`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def put_client(self, client: OAuthClient) -> None:
        values: dict[str, Value] = {
            "client_id": client.client_id,
            "hashed_secret": client.hashed_secret,
            "redirect_uri": client.redirect_uri,
            "access_scopes": to_json(client.access_scopes),
            "allowed_scopes": to_json(client.allowed_scopes),
            "description": client.description,
            "server_id": client.server_id,
        }
        await self._link.change(_PUT_CLIENT, values)

    async def get_client(self, client_id: str) -> OAuthClient | None:
        rows = await self._link.rows(_GET_CLIENT, {"client_id": client_id})
        return _client(rows[0]) if rows else None

    async def descriptions(self, client_ids: Iterable[str]) -> dict[str, str]:
        rows = await self._link.rows(_DESCRIPTIONS, {"client_ids": to_json(sorted(client_ids))})
        return {row[0]: row[1] for row in rows}

    async def delete_clients_of_server(self, server_id: int) -> int:
        return await self._link.change(_DELETE_CLIENTS, {"server_id": server_id})

    async def delete_client(self, client_id: str) -> None:
        await self._link.change(_DELETE_CLIENT, {"client_id": client_id})

    async def add_code(self, code: OAuthCode) -> None:
        values: dict[str, Value] = {
            "hashed": code.hashed,
            "client_id": code.client_id,
            "user_id": code.user_id,
            "session_id": code.session_id,
            "redirect_uri": code.redirect_uri,
            "scopes": to_json(code.scopes),
            "expires": code.expires,
            "code_challenge": code.code_challenge,
            "code_challenge_method": code.code_challenge_method,
        }
        await self._link.change(_ADD_CODE, values)

    async def take_code(self, hashed: str) -> OAuthCode | None:
        rows = await self._link.rows(_TAKE_CODE, {"hashed": hashed})
        return _code(rows[0]) if rows else None

    async def delete_codes_of_session(self, session_id: str) -> int:
        return await self._link.change(_DELETE_CODES, {"session_id": session_id})

    async def purge_codes(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE_CODES, {"now": now})


def _client(row: Row) -> OAuthClient:
    client_id, hashed_secret, redirect_uri, access, allowed, description, server_id = row
    return OAuthClient(
        client_id, hashed_secret, redirect_uri, to_scopes(access), to_scopes(allowed), description, server_id
    )


def _code(row: Row) -> OAuthCode:
    hashed, client_id, user_id, session_id, redirect_uri, scopes, *rest = row
    return OAuthCode(hashed, client_id, user_id, session_id, redirect_uri, to_scopes(scopes), *rest)
