"""The hubs that share the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.hubs import Hub
from carrel.lib.clock import Timestamp
from carrel.storage.sql.engine import Link
from carrel.storage.sql.tables import hubs

_FIELDS = ("owner", "node", "url", "version", "started", "expires")
_ROW = insert(hubs).values({name: bindparam(name) for name in _FIELDS})
_PUT = _ROW.on_conflict_do_update(
    index_elements=["owner"], set_={name: _ROW.excluded[name] for name in _FIELDS if name != "owner"}
)
_ALIVE = (
    select(*(hubs.c[name] for name in _FIELDS))
    .where(hubs.c.expires > bindparam("now"))
    .order_by(hubs.c.started, hubs.c.owner)
)
_REMOVE = delete(hubs).where(hubs.c.owner == bindparam("owner"))
_PURGE = delete(hubs).where(hubs.c.expires <= bindparam("now"))


class SqlHubs:
    """See `carrel.storage.hubs`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def put(self, hub: Hub) -> None:
        await self._link.change(_PUT, asdict(hub))

    async def alive(self, now: Timestamp) -> Sequence[Hub]:
        return [Hub(*row) for row in await self._link.rows(_ALIVE, {"now": now})]

    async def remove(self, owner: str) -> None:
        await self._link.change(_REMOVE, {"owner": owner})

    async def purge(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE, {"now": now})
