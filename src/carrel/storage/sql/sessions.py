"""Log-ins of browsers."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select

from carrel.domain.tokens import Session
from carrel.lib.clock import Timestamp
from carrel.storage.sql.engine import Link, Value
from carrel.storage.sql.tables import sessions, users

_ADD = insert(sessions).values({c: bindparam(c.name) for c in sessions.c})
_SELECT = select(
    sessions.c.hashed,
    sessions.c.user_id,
    users.c.name,
    sessions.c.session_id,
    sessions.c.created,
    sessions.c.expires,
).join(users, users.c.id == sessions.c.user_id)
_FIND = _SELECT.where(sessions.c.hashed == bindparam("hashed"))
_WITH_ID = _SELECT.where(sessions.c.session_id == bindparam("session_id"))
_OF_USER = _SELECT.where(sessions.c.user_id == bindparam("user_id")).order_by(sessions.c.created)
_DELETE = delete(sessions).where(sessions.c.hashed == bindparam("hashed"))
_DELETE_OF_USER = delete(sessions).where(sessions.c.user_id == bindparam("user_id"))
_PURGE = delete(sessions).where(sessions.c.expires <= bindparam("now"))


class SqlSessions:
    """See `carrel.storage.sessions`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, session: Session) -> None:
        values: dict[str, Value] = {
            "hashed": session.hashed,
            "user_id": session.user_id,
            "session_id": session.session_id,
            "created": session.created,
            "expires": session.expires,
        }
        await self._link.change(_ADD, values)

    async def find(self, hashed: str) -> Session | None:
        rows = await self._link.rows(_FIND, {"hashed": hashed})
        return Session(*rows[0]) if rows else None

    async def with_id(self, session_id: str) -> Session | None:
        rows = await self._link.rows(_WITH_ID, {"session_id": session_id})
        return Session(*rows[0]) if rows else None

    async def of_user(self, user_id: int) -> list[Session]:
        return [Session(*row) for row in await self._link.rows(_OF_USER, {"user_id": user_id})]

    async def delete(self, hashed: str) -> bool:
        return await self._link.change(_DELETE, {"hashed": hashed}) > 0

    async def delete_of_user(self, user_id: int) -> int:
        return await self._link.change(_DELETE_OF_USER, {"user_id": user_id})

    async def purge(self, now: Timestamp) -> int:
        return await self._link.change(_PURGE, {"now": now})
