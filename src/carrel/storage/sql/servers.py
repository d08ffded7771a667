"""Servers; every write of an existing one is a compare-and-set on its version."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.errors import Conflict
from carrel.domain.servers import Actual, Failure, Lease, Server, Wanted
from carrel.lib.clock import Timestamp
from carrel.lib.records import maker
from carrel.storage.sql.columns import from_json, to_json
from carrel.storage.sql.engine import Link, OneOf, Row, Value
from carrel.storage.sql.tables import (
    ACTIVE,
    IN_FLIGHT,
    READY,
    ROUTED,
    START_DUE,
    UNSETTLED,
    device_waits,
    servers,
    users,
)

_SELECT = select(
    servers.c.id,
    servers.c.user_id,
    users.c.name,
    servers.c.name,
    servers.c.created,
    servers.c.wanted,
    servers.c.actual,
    servers.c.version,
    servers.c.wanted_generation,
    servers.c.generation,
    servers.c.lease_owner,
    servers.c.lease_expires,
    servers.c.fence,
    servers.c.deadline,
    servers.c.state,
    servers.c.user_options,
    servers.c.display_name,
    servers.c.url,
    servers.c.failure,
    servers.c.started,
    servers.c.last_activity,
    servers.c.node,
    servers.c.wished,
    servers.c.spawner,
    servers.c.profile,
).join(users, users.c.id == servers.c.user_id)
_GET = _SELECT.where(servers.c.user_id == bindparam("user_id"), servers.c.name == bindparam("name"))
_GET_BY_ID = _SELECT.where(servers.c.id == bindparam("id"))
_NAMED = (
    select(servers.c.id, servers.c.name)
    .where(servers.c.name != literal_column("''"))
    .order_by(servers.c.user_id, servers.c.name)
)
_OF_USER = _SELECT.where(servers.c.user_id == bindparam("user_id")).order_by(servers.c.name)
_OF_USERS = _SELECT.where(OneOf(servers.c.user_id, "user_ids")).order_by(servers.c.user_id, servers.c.name)
_UNSETTLED = _SELECT.where(UNSETTLED).order_by(servers.c.id)
# The first condition, which the second implies, is the index's.
_STARTING = _SELECT.where(
    UNSETTLED, servers.c.actual == literal_column("'starting'"), servers.c.lease_owner != bindparam("owner")
)
_ROUTED = _SELECT.where(ROUTED).order_by(servers.c.id)
#: A row has a checkpoint exactly while a run of it may exist. ACTIVE is said again for the sake of its index.
_TRACKED = select(servers.c.id, servers.c.generation).where(ACTIVE, servers.c.state != literal_column("'{}'"))
#: Starts that wait for devices stand in lines of their own.
_IN_LINE = and_(
    START_DUE,
    ~exists().where(
        device_waits.c.server_id == servers.c.id, device_waits.c.generation == servers.c.wanted_generation
    ),
)
_DUE = (
    _SELECT.where(_IN_LINE)
    .order_by(servers.c.wished, servers.c.id)
    .limit(bindparam("limit"))
    .offset(literal_column("0"))
)
_COUNT_DUE = select(func.count()).where(
    _IN_LINE,
    or_(
        servers.c.wished < bindparam("wished"),
        and_(servers.c.wished == bindparam("wished"), servers.c.id < bindparam("id")),
    ),
)
_LINE = (
    select(
        servers.c.id,
        func.row_number().over(order_by=(servers.c.wished, servers.c.id)).label("place"),
    )
    .where(_IN_LINE)
    .subquery()
)
_POSITIONS = select(_LINE.c.id, _LINE.c.place).where(OneOf(_LINE.c.id, "server_ids"))
_COUNT_ACTIVE = select(
    func.count(),
    func.count(case((or_(servers.c.actual == literal_column("'starting'"), START_DUE), servers.c.id))),
).where(ACTIVE)
_COUNT_READY = select(func.count()).where(ACTIVE, READY)


def _ids(condition: ColumnElement[bool]) -> Select[tuple[int]]:
    """Return a page of the ids for which a partial index holds."""
    return (
        select(servers.c.id)
        .where(condition, servers.c.id > bindparam("after"))
        .order_by(servers.c.id)
        .limit(bindparam("limit"))
        .offset(literal_column("0"))
    )


_IN_FLIGHT_IDS = _ids(IN_FLIGHT.self_group())
_ROUTED_IDS = _ids(ROUTED)
_RENEW = (
    update(servers)
    .values(lease_expires=bindparam("expires"))
    .where(servers.c.lease_owner == bindparam("owner"), servers.c.lease_expires > bindparam("now"))
    .returning(servers.c.id, servers.c.fence)
)
_IDENTITY = ("id", "last_activity")
_CREATE = (
    insert(servers)
    .values({c: bindparam(c.name) for c in servers.c if c.name not in _IDENTITY})
    .on_conflict_do_nothing()
    .returning(servers.c.id)
)
_WRITTEN = (
    "wanted",
    "actual",
    "wanted_generation",
    "generation",
    "lease_owner",
    "lease_expires",
    "deadline",
    "state",
    "user_options",
    "display_name",
    "url",
    "failure",
    "started",
    "node",
    "wished",
    "spawner",
    "profile",
)
_SAVE = (
    update(servers)
    .values(
        {
            **{name: bindparam(name) for name in _WRITTEN},
            "version": bindparam("next_version"),
            # A given-up lease leaves its number behind, so that the next one is higher.
            "fence": func.coalesce(bindparam("new_fence", type_=servers.c.fence.type), servers.c.fence),
        }
    )
    .where(servers.c.id == bindparam("key"), servers.c.version == bindparam("seen_version"))
)
_OTHERS = servers.alias("others")
_RENAME = (
    update(servers)
    .values(name=bindparam("new"), version=bindparam("next_version"))
    .where(
        servers.c.id == bindparam("key"),
        servers.c.version == bindparam("seen_version"),
        # A violated constraint would end the whole transaction on PostgreSQL.
        ~exists().where(_OTHERS.c.user_id == servers.c.user_id, _OTHERS.c.name == bindparam("new")),
    )
)
_DELETE = delete(servers).where(
    servers.c.id == bindparam("key"), servers.c.version == bindparam("seen_version")
)
_AT: BindParameter[float] = bindparam("at")
_TOUCH = (
    update(servers)
    .values(last_activity=_AT)
    .where(
        servers.c.id == bindparam("key"),
        or_(servers.c.last_activity.is_(None), servers.c.last_activity < _AT),
    )
)
#: A page of servers asks for many: a look-up takes a fifth of the time of a call.
_WANTED = {each.value: each for each in Wanted}
_ACTUAL = {each.value: each for each in Actual}
_new_server = maker(Server)


class SqlServers:
    """See `carrel.storage.servers`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def get(self, user_id: int, name: str) -> Server | None:
        rows = await self._link.rows(_GET, {"user_id": user_id, "name": name})
        return _server(rows[0]) if rows else None

    async def get_by_id(self, server_id: int) -> Server | None:
        rows = await self._link.rows(_GET_BY_ID, {"id": server_id})
        return _server(rows[0]) if rows else None

    async def create(self, user_id: int, name: str, *, now: Timestamp) -> Server:
        server = Server(id=0, user_id=user_id, user_name="", name=name, created=now)
        values = {
            **_values(server),
            "user_id": user_id,
            "name": name,
            "created": now,
            "version": 0,
            "fence": 0,
        }
        rows = await self._link.rows(_CREATE, values)
        created = await self.get_by_id(rows[0][0]) if rows else None
        if created is None:
            raise Conflict(f"This user already has a server named {name!r}.")
        return created

    async def save(self, server: Server) -> Server | None:
        values = {
            **_values(server),
            "new_fence": server.lease.fence if server.lease else None,
            "key": server.id,
            "seen_version": server.version,
            "next_version": server.version + 1,
        }
        if not await self._link.change(_SAVE, values):
            return None
        return replace(server, version=server.version + 1)

    async def rename(self, server: Server, name: str) -> Server | None:
        version = server.version + 1
        values: dict[str, Value] = {"key": server.id, "seen_version": server.version}
        if await self._link.change(_RENAME, values | {"next_version": version, "new": name}):
            return replace(server, name=name, version=version)
        if await self.get(server.user_id, name) is not None:
            raise Conflict(f"This user already has a server named {name!r}.")
        return None

    async def delete(self, server: Server) -> bool:
        return await self._link.change(_DELETE, {"key": server.id, "seen_version": server.version}) > 0

    async def of_users(self, user_ids: Sequence[int]) -> Sequence[Server]:
        if len(user_ids) == 1:
            rows = await self._link.rows(_OF_USER, {"user_id": user_ids[0]})
        else:
            rows = await self._link.rows(_OF_USERS, {"user_ids": to_json(user_ids)})
        return [_server(row) for row in rows]

    async def named(self) -> Sequence[tuple[int, str]]:
        return [(row[0], row[1]) for row in await self._link.rows(_NAMED, {})]

    async def unsettled(self) -> Sequence[Server]:
        return [_server(row) for row in await self._link.rows(_UNSETTLED, {})]

    async def starting(self, owner: str) -> Sequence[Server]:
        return [_server(row) for row in await self._link.rows(_STARTING, {"owner": owner})]

    async def routed(self) -> Sequence[Server]:
        return [_server(row) for row in await self._link.rows(_ROUTED, {})]

    async def tracked(self) -> Collection[tuple[int, int]]:
        return {(row[0], row[1]) for row in await self._link.rows(_TRACKED, {})}

    async def due(self, limit: int) -> Sequence[Server]:
        return [_server(row) for row in await self._link.rows(_DUE, {"limit": limit})]

    async def count_due_before(self, server: Server) -> int:
        rows = await self._link.rows(_COUNT_DUE, {"wished": server.wished, "id": server.id})
        return int(rows[0][0])

    async def positions(self, server_ids: Collection[int]) -> Mapping[int, int]:
        rows = await self._link.rows(_POSITIONS, {"server_ids": to_json(sorted(server_ids))})
        return {server_id: place - 1 for server_id, place in rows}

    async def in_flight(self, after: int, limit: int) -> Sequence[int]:
        rows = await self._link.rows(_IN_FLIGHT_IDS, {"after": after, "limit": limit})
        return [row[0] for row in rows]

    async def with_url(self, after: int, limit: int) -> Sequence[int]:
        rows = await self._link.rows(_ROUTED_IDS, {"after": after, "limit": limit})
        return [row[0] for row in rows]

    async def count_active(self) -> tuple[int, int]:
        rows = await self._link.rows(_COUNT_ACTIVE, {})
        return int(rows[0][0]), int(rows[0][1])

    async def count_ready(self) -> int:
        rows = await self._link.rows(_COUNT_READY, {})
        return int(rows[0][0])

    async def renew(self, owner: str, *, expires: Timestamp, now: Timestamp) -> set[tuple[int, int]]:
        rows = await self._link.rows(_RENEW, {"owner": owner, "expires": expires, "now": now})
        return {(row[0], row[1]) for row in rows}

    async def touch(self, moments: Mapping[int, Timestamp]) -> None:
        await self._link.change_many(_TOUCH, [{"key": key, "at": moments[key]} for key in sorted(moments)])


def _values(server: Server) -> dict[str, Value]:
    lease = server.lease
    return {
        "wanted": server.wanted.value,
        "actual": server.actual.value,
        "wanted_generation": server.wanted_generation,
        "generation": server.generation,
        "lease_owner": lease.owner if lease else None,
        "lease_expires": lease.expires if lease else None,
        "deadline": server.deadline,
        "state": to_json(server.state) if server.state else "{}",
        "user_options": to_json(server.user_options) if server.user_options else "{}",
        "display_name": server.display_name,
        "url": server.url,
        "failure": to_json(asdict(server.failure)) if server.failure else None,
        "started": server.started,
        "node": server.node,
        "wished": server.wished,
        "spawner": server.spawner,
        "profile": server.profile,
    }


def _server(row: Row) -> Server:
    # In the order of `_SELECT`, all at once: a page of servers has hundreds of rows.
    (
        server_id, user_id, user_name, name, created, wanted, actual, version, wanted_generation, generation,
        lease_owner, lease_expires, fence, deadline, state, user_options, display_name, url, failure, started,
        last_activity, node, wished, spawner, profile,
    ) = row  # fmt: skip
    return _new_server(
        server_id,
        user_id,
        user_name,
        name,
        created,
        _WANTED[wanted],
        _ACTUAL[actual],
        version,
        wanted_generation,
        generation,
        None if lease_owner is None else Lease(lease_owner, lease_expires, fence),
        deadline,
        {} if state == "{}" else from_json(state),
        {} if user_options == "{}" else from_json(user_options),
        display_name,
        url,
        None if failure is None else Failure(**from_json(failure)),
        started,
        last_activity,
        node,
        spawner,
        profile,
        wished,
    )
