"""`handler.users` and how a handler finds somebody by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from carrel.compat.facades import UserFacade, user_facade
from carrel.core.context import HubContext
from carrel.core.users import delete_user
from carrel.domain.users import User

if TYPE_CHECKING:
    from carrel.core.caller import Caller


class Users:
    """The hub's users by their names. Who asks may do no more to them than the handler's visitor."""

    def __init__(self, ctx: HubContext, caller: Caller | None, later: Callable[[Any], None]) -> None:
        self._ctx = ctx
        self._caller = caller
        self._later = later

    def get(self, name: Any, default: Any = None) -> Any:
        """Return a user, or `default` when there is none."""
        return find(self._ctx, str(getattr(name, "name", name))) or default

    def __getitem__(self, name: Any) -> UserFacade:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found  # type: ignore[no-any-return]

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        from carrel.compat.orm import User as Row

        return iter([name for (name,) in self._ctx.authenticator.db.query(Row.name).order_by(Row.id)])

    def delete(self, user: Any) -> None:
        """Remove a user with their servers, before the browser is answered; the visitor must have the right.

        Raises HTTPError (403) for a visitor who is nobody.
        """
        if self._caller is None:
            raise HTTPError(403, "Missing or invalid credentials.")
        self._later(partial(delete_user, self._ctx, self._caller, str(getattr(user, "name", user))))


def find(ctx: HubContext, name: str) -> UserFacade | None:
    """Return the user of that name for handlers, or None: by the plug-ins' session, for nobody may wait."""
    from carrel.compat.orm import User as Row

    row = Row.find(ctx.authenticator.db, name)
    if row is None:
        return None
    return user_facade(ctx, User(id=row.id, name=row.name, admin=row.admin, created=row.created_at))


def unborn(ctx: HubContext, name: str) -> UserFacade:
    """Return a user who does not exist yet; signing them in makes them."""
    return UserFacade(id=0, name=name, base_url=ctx.settings.base_url)
