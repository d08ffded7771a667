"""Keys that sign."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from carrel.domain.signing import SigningKey
from carrel.storage.sql.engine import Link
from carrel.storage.sql.tables import signing_keys

_ALL = select(signing_keys.c.id, signing_keys.c.private, signing_keys.c.created).order_by(
    signing_keys.c.created, signing_keys.c.id
)
_ADD = insert(signing_keys).values({c: bindparam(c.name) for c in signing_keys.c})
_DELETE = delete(signing_keys).where(signing_keys.c.id == bindparam("id"))


class SqlSigningKeys:
    """See `carrel.storage.base.SigningKeys`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def all(self) -> Sequence[SigningKey]:
        return [SigningKey(*row) for row in await self._link.rows(_ALL, {})]

    async def add(self, key: SigningKey) -> None:
        await self._link.change(_ADD, {"id": key.id, "private": key.private, "created": key.created})

    async def delete(self, key_id: str) -> bool:
        return await self._link.change(_DELETE, {"id": key_id}) > 0
