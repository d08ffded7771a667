"""Services, their tokens, and which hub runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.errors import Conflict
from carrel.domain.services import Service, ServiceToken
from carrel.lib.clock import Timestamp
from carrel.storage.sql.columns import MOST_SALTED, from_json, is_salted, to_json
from carrel.storage.sql.engine import Link, Row, Value
from carrel.storage.sql.tables import service_tokens, services

_SAID = (
    "admin",
    "url",
    "client_id",
    "no_confirm",
    "display",
    "info",
    "command",
    "timeout",
    "from_config",
)
_SELECT = select(
    services.c.id,
    services.c.name,
    *(services.c[name] for name in _SAID),
    services.c.node,
    services.c.pid,
    services.c.start_time,
)
_ALL = _SELECT.order_by(services.c.name)
_GET = _SELECT.where(services.c.name == bindparam("name"))
_GET_BY_ID = _SELECT.where(services.c.id == bindparam("id"))
_OF_CLIENT = _SELECT.where(services.c.client_id == bindparam("client_id"))
_ROW = insert(services).values({name: bindparam(name) for name in ("name", *_SAID)})
_PUT = _ROW.on_conflict_do_update(
    index_elements=["name"], set_={name: _ROW.excluded[name] for name in _SAID}
).returning(services.c.id)
_DELETE = delete(services).where(services.c.id == bindparam("id"))

_TOKENS = select(
    service_tokens.c.id,
    service_tokens.c.service_id,
    service_tokens.c.prefix,
    service_tokens.c.hashed,
    service_tokens.c.created,
    service_tokens.c.note,
    service_tokens.c.generated,
)
_FIND = _TOKENS.where(
    service_tokens.c.prefix == bindparam("prefix"), service_tokens.c.hashed == bindparam("hashed")
)
_SALTED = (
    _TOKENS.where(service_tokens.c.prefix == bindparam("prefix"), is_salted(service_tokens.c.hashed))
    .order_by(func.length(service_tokens.c.hashed), service_tokens.c.id)
    .limit(bindparam("limit"))
    .offset(literal_column("0"))
)
_REHASH = (
    update(service_tokens).values(hashed=bindparam("digest")).where(service_tokens.c.id == bindparam("key"))
)
_OF_SERVICE = _TOKENS.where(service_tokens.c.service_id == bindparam("service_id")).order_by(
    service_tokens.c.id
)
_ADD_TOKEN = (
    insert(service_tokens)
    .values({c: bindparam(c.name) for c in service_tokens.c if c is not service_tokens.c.id})
    .on_conflict_do_nothing()
    .returning(service_tokens.c.id)
)
_DELETE_TOKEN = delete(service_tokens).where(service_tokens.c.id == bindparam("id"))

_OWNER: BindParameter[str] = bindparam("owner")
_TAKE = (
    update(services)
    .values(lease_owner=_OWNER, lease_expires=bindparam("expires"))
    .where(services.c.id == bindparam("key"))
)
_CLAIM = _TAKE.where(
    or_(
        services.c.lease_owner.is_(None),
        services.c.lease_owner == _OWNER,
        services.c.lease_expires <= bindparam("now"),
    )
)
_HELD = (services.c.id == bindparam("key"), services.c.lease_owner == _OWNER)
_SET_PROCESS = (
    update(services)
    .values(node=bindparam("at"), pid=bindparam("number"), start_time=bindparam("since"))
    .where(*_HELD)
)
_NULL: ColumnElement[None] = literal_column("NULL")
_RELEASE = update(services).values(lease_owner=_NULL, lease_expires=_NULL).where(*_HELD)


class SqlServices:
    """See `carrel.storage.services.Services`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def all(self) -> Sequence[Service]:
        return [_service(row) for row in await self._link.rows(_ALL, {})]

    async def get(self, name: str) -> Service | None:
        rows = await self._link.rows(_GET, {"name": name})
        return _service(rows[0]) if rows else None

    async def get_by_id(self, service_id: int) -> Service | None:
        rows = await self._link.rows(_GET_BY_ID, {"id": service_id})
        return _service(rows[0]) if rows else None

    async def of_client(self, client_id: str) -> Service | None:
        rows = await self._link.rows(_OF_CLIENT, {"client_id": client_id})
        return _service(rows[0]) if rows else None

    async def put(self, service: Service) -> Service:
        other = await self.of_client(service.client_id) if service.client_id else None
        if other is not None and other.name != service.name:
            raise Conflict(f"The oauth_client_id {service.client_id} is another service's")
        values: dict[str, Value] = {
            "name": service.name,
            "admin": service.admin,
            "url": service.url,
            "client_id": service.client_id or None,
            "no_confirm": service.no_confirm,
            "display": service.display,
            "info": to_json(service.info),
            "command": to_json(service.command),
            "timeout": service.timeout,
            "from_config": service.from_config,
        }
        [(service_id,)] = await self._link.rows(_PUT, values)
        stored = await self.get_by_id(service_id)
        return service if stored is None else stored

    async def delete(self, service_id: int) -> None:
        await self._link.change(_DELETE, {"id": service_id})

    async def find_token(self, prefix: str, hashed: str) -> ServiceToken | None:
        rows = await self._link.rows(_FIND, {"prefix": prefix, "hashed": hashed})
        return _token(rows[0]) if rows else None

    async def salted_tokens(self, prefix: str) -> Sequence[ServiceToken]:
        return [
            _token(row) for row in await self._link.rows(_SALTED, {"prefix": prefix, "limit": MOST_SALTED})
        ]

    async def rehash_token(self, token_id: int, hashed: str) -> None:
        await self._link.change(_REHASH, {"key": token_id, "digest": hashed})

    async def tokens(self, service_id: int) -> Sequence[ServiceToken]:
        return [_token(row) for row in await self._link.rows(_OF_SERVICE, {"service_id": service_id})]

    async def add_token(self, token: ServiceToken) -> ServiceToken:
        values: dict[str, Value] = {
            "service_id": token.service_id,
            "prefix": token.prefix,
            "hashed": token.hashed,
            "created": token.created,
            "note": token.note,
            "generated": token.generated,
        }
        rows = await self._link.rows(_ADD_TOKEN, values)
        if not rows:
            raise Conflict("A service has this token already")
        return replace(token, id=rows[0][0])

    async def delete_token(self, token_id: int) -> None:
        await self._link.change(_DELETE_TOKEN, {"id": token_id})

    async def claim(
        self, service_id: int, owner: str, *, expires: Timestamp, now: Timestamp, force: bool = False
    ) -> bool:
        values: dict[str, Value] = {"key": service_id, "owner": owner, "expires": expires}
        if force:
            return await self._link.change(_TAKE, values) > 0
        return await self._link.change(_CLAIM, {**values, "now": now}) > 0

    async def set_process(self, service_id: int, owner: str, node: str, pid: int, start_time: str) -> bool:
        values: dict[str, Value] = {
            "key": service_id,
            "owner": owner,
            "at": node,
            "number": pid,
            "since": start_time,
        }
        return await self._link.change(_SET_PROCESS, values) > 0

    async def release(self, service_id: int, owner: str) -> None:
        await self._link.change(_RELEASE, {"key": service_id, "owner": owner})


def _service(row: Row) -> Service:
    service_id, name, admin, url, client_id, no_confirm, display, info, command, timeout, own, *run = row
    node, pid, start_time = run
    return Service(
        id=service_id,
        name=name,
        admin=bool(admin),
        url=url,
        client_id=client_id or "",
        no_confirm=bool(no_confirm),
        display=bool(display),
        info=from_json(info),
        command=tuple(from_json(command)),
        timeout=timeout,
        from_config=bool(own),
        node=node,
        pid=pid,
        start_time=start_time,
    )


def _token(row: Row) -> ServiceToken:
    token_id, service_id, prefix, hashed, created, note, generated = row
    return ServiceToken(token_id, service_id, prefix, hashed, created, note, bool(generated))
