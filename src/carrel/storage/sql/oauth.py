"""OAuth clients, codes and grants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import bindparam, delete, false, insert, select, true, update
from sqlalchemy.dialects.sqlite import insert as upsert

from carrel.domain.oauth import ClientKind, Grant, OAuthClient, OAuthCode
from carrel.lib.clock import Timestamp
from carrel.storage.sql.columns import to_json, to_scopes
from carrel.storage.sql.engine import Link, OneOf, Row, Value
from carrel.storage.sql.tables import oauth_clients, oauth_codes, oauth_grants

_CLIENT = upsert(oauth_clients).values({c: bindparam(c.name) for c in oauth_clients.c})
# An update in place: removing the old row would take its codes along.
_PUT_CLIENT = _CLIENT.on_conflict_do_update(
    index_elements=["client_id"],
    set_={c.name: _CLIENT.excluded[c.name] for c in oauth_clients.c if not c.primary_key},
)
_CLIENT_COLUMNS = (
    oauth_clients.c.client_id,
    oauth_clients.c.hashed_secret,
    oauth_clients.c.redirect_uri,
    oauth_clients.c.access_scopes,
    oauth_clients.c.allowed_scopes,
    oauth_clients.c.description,
    oauth_clients.c.server_id,
    oauth_clients.c.kind,
    oauth_clients.c.confirm,
    oauth_clients.c.other_redirect_uris,
)
_GET_CLIENT = select(*_CLIENT_COLUMNS).where(oauth_clients.c.client_id == bindparam("client_id"))
_CLIENTS = (
    select(*_CLIENT_COLUMNS)
    .where(oauth_clients.c.kind == bindparam("kind"))
    .order_by(oauth_clients.c.client_id)
)
_DESCRIPTIONS = select(oauth_clients.c.client_id, oauth_clients.c.description).where(
    OneOf(oauth_clients.c.client_id, "client_ids")
)
_DELETE_CLIENT = delete(oauth_clients).where(oauth_clients.c.client_id == bindparam("client_id"))
_DELETE_CLIENTS = (
    delete(oauth_clients)
    .where(oauth_clients.c.server_id == bindparam("server_id"))
    .returning(oauth_clients.c.client_id)
)
_CODE = (
    oauth_codes.c.hashed,
    oauth_codes.c.client_id,
    oauth_codes.c.user_id,
    oauth_codes.c.session_id,
    oauth_codes.c.redirect_uri,
    oauth_codes.c.scopes,
    oauth_codes.c.expires,
    oauth_codes.c.code_challenge,
    oauth_codes.c.code_challenge_method,
    oauth_codes.c.nonce,
    oauth_codes.c.auth_time,
    oauth_codes.c.token_id,
    oauth_codes.c.grant_id,
)
_ADD_CODE = insert(oauth_codes).values({c: bindparam(c.name) for c in _CODE})
# Kept until it expires: a second use must be known as one.
_TAKE_CODE = (
    update(oauth_codes)
    .values(spent=true())
    .where(oauth_codes.c.hashed == bindparam("key"), oauth_codes.c.spent == false())
    .returning(*_CODE)
)
_SPENT_CODE = select(*_CODE).where(oauth_codes.c.hashed == bindparam("key"), oauth_codes.c.spent == true())
_NOTE_GIVEN = (
    update(oauth_codes)
    .values(token_id=bindparam("token_id"), grant_id=bindparam("grant_id"))
    .where(oauth_codes.c.hashed == bindparam("key"))
)
_DELETE_CODES = delete(oauth_codes).where(oauth_codes.c.session_id == bindparam("session_id"))
_PURGE_CODES = delete(oauth_codes).where(oauth_codes.c.expires <= bindparam("now"))
_GRANT = (
    oauth_grants.c.id,
    oauth_grants.c.hashed,
    oauth_grants.c.client_id,
    oauth_grants.c.user_id,
    oauth_grants.c.session_id,
    oauth_grants.c.scopes,
    oauth_grants.c.auth_time,
    oauth_grants.c.expires,
    oauth_grants.c.token_id,
)
_ADD_GRANT = insert(oauth_grants).values({c: bindparam(c.name) for c in _GRANT})
_GET_GRANT = select(*_GRANT).where(oauth_grants.c.id == bindparam("id"))
_GRANTS_OF_CLIENT = select(*_GRANT).where(
    oauth_grants.c.user_id == bindparam("user_id"), oauth_grants.c.client_id == bindparam("client_id")
)
_TOKENS_OF_GRANTS = select(oauth_grants.c.token_id).where(oauth_grants.c.user_id == bindparam("user_id"))
_RENEW_GRANT = (
    update(oauth_grants)
    .values(hashed=bindparam("new"), expires=bindparam("until"), token_id=bindparam("token"))
    .where(oauth_grants.c.id == bindparam("key"), oauth_grants.c.hashed == bindparam("old"))
)
_DELETE_GRANT = delete(oauth_grants).where(oauth_grants.c.id == bindparam("id"))
_DELETE_GRANTS_OF_CLIENT = delete(oauth_grants).where(
    oauth_grants.c.user_id == bindparam("user_id"), oauth_grants.c.client_id == bindparam("client_id")
)
_DELETE_GRANTS_OF_SESSION = delete(oauth_grants).where(oauth_grants.c.session_id == bindparam("session_id"))
_PURGE_GRANTS = delete(oauth_grants).where(oauth_grants.c.expires <= bindparam("now"))


class SqlOAuth:
    """See `carrel.storage.oauth`."""

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
            "kind": client.kind,
            "confirm": client.confirm,
            "other_redirect_uris": to_json(client.other_redirect_uris),
        }
        await self._link.change(_PUT_CLIENT, values)

    async def get_client(self, client_id: str) -> OAuthClient | None:
        rows = await self._link.rows(_GET_CLIENT, {"client_id": client_id})
        return _client(rows[0]) if rows else None

    async def descriptions(self, client_ids: Iterable[str]) -> dict[str, str]:
        rows = await self._link.rows(_DESCRIPTIONS, {"client_ids": to_json(sorted(client_ids))})
        return {row[0]: row[1] for row in rows}

    async def clients(self, kind: ClientKind) -> Sequence[OAuthClient]:
        return [_client(row) for row in await self._link.rows(_CLIENTS, {"kind": kind})]

    async def delete_client(self, client_id: str) -> bool:
        return await self._link.change(_DELETE_CLIENT, {"client_id": client_id}) > 0

    async def delete_clients_of_server(self, server_id: int) -> Sequence[str]:
        return [
            client_id for (client_id,) in await self._link.rows(_DELETE_CLIENTS, {"server_id": server_id})
        ]

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
            "nonce": code.nonce,
            "auth_time": code.auth_time,
            "token_id": code.token_id,
            "grant_id": code.grant_id,
        }
        await self._link.change(_ADD_CODE, values)

    async def take_code(self, hashed: str) -> OAuthCode | None:
        rows = await self._link.rows(_TAKE_CODE, {"key": hashed})
        return _code(rows[0]) if rows else None

    async def spent_code(self, hashed: str) -> OAuthCode | None:
        rows = await self._link.rows(_SPENT_CODE, {"key": hashed})
        return _code(rows[0]) if rows else None

    async def note_given(self, hashed: str, token_id: int, grant_id: str | None) -> None:
        await self._link.change(_NOTE_GIVEN, {"key": hashed, "token_id": token_id, "grant_id": grant_id})

    async def delete_codes_of_session(self, session_id: str) -> int:
        return await self._link.change(_DELETE_CODES, {"session_id": session_id})

    async def purge_codes(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE_CODES, {"now": now})

    async def add_grant(self, grant: Grant) -> None:
        values: dict[str, Value] = {
            "id": grant.id,
            "hashed": grant.hashed,
            "client_id": grant.client_id,
            "user_id": grant.user_id,
            "session_id": grant.session_id,
            "scopes": to_json(grant.scopes),
            "auth_time": grant.auth_time,
            "expires": grant.expires,
            "token_id": grant.token_id,
        }
        await self._link.change(_ADD_GRANT, values)

    async def get_grant(self, grant_id: str) -> Grant | None:
        rows = await self._link.rows(_GET_GRANT, {"id": grant_id})
        return _grant(rows[0]) if rows else None

    async def grants_of_client(self, user_id: int, client_id: str) -> Sequence[Grant]:
        values: dict[str, Value] = {"user_id": user_id, "client_id": client_id}
        return [_grant(row) for row in await self._link.rows(_GRANTS_OF_CLIENT, values)]

    async def tokens_of_grants(self, user_id: int) -> Collection[int]:
        return {row[0] for row in await self._link.rows(_TOKENS_OF_GRANTS, {"user_id": user_id})}

    async def renew_grant(self, grant: Grant, hashed: str) -> bool:
        values: dict[str, Value] = {
            "key": grant.id,
            "old": hashed,
            "new": grant.hashed,
            "until": grant.expires,
            "token": grant.token_id,
        }
        return await self._link.change(_RENEW_GRANT, values) > 0

    async def delete_grant(self, grant_id: str) -> bool:
        return await self._link.change(_DELETE_GRANT, {"id": grant_id}) > 0

    async def delete_grants_of_client(self, user_id: int, client_id: str) -> int:
        values: dict[str, Value] = {"user_id": user_id, "client_id": client_id}
        return await self._link.change(_DELETE_GRANTS_OF_CLIENT, values)

    async def delete_grants_of_session(self, session_id: str) -> int:
        return await self._link.change(_DELETE_GRANTS_OF_SESSION, {"session_id": session_id})

    async def purge_grants(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE_GRANTS, {"now": now})


def _client(row: Row) -> OAuthClient:
    client_id, hashed_secret, redirect_uri, access, allowed, description, server_id, kind, confirm, others = (
        row
    )
    return OAuthClient(
        client_id=client_id,
        hashed_secret=hashed_secret,
        redirect_uri=redirect_uri,
        access_scopes=to_scopes(access),
        allowed_scopes=to_scopes(allowed),
        description=description,
        server_id=server_id,
        kind=kind,
        confirm=bool(confirm),
        other_redirect_uris=to_scopes(others),
    )


def _code(row: Row) -> OAuthCode:
    hashed, client_id, user_id, session_id, redirect_uri, scopes, *rest = row
    return OAuthCode(hashed, client_id, user_id, session_id, redirect_uri, to_scopes(scopes), *rest)


def _grant(row: Row) -> Grant:
    key, hashed, client_id, user_id, session_id, scopes, *rest = row
    return Grant(key, hashed, client_id, user_id, session_id, to_scopes(scopes), *rest)
