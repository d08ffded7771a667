"""Removing users whom the authenticator refuses by now: JupyterHub's `delete_invalid_users`."""

from __future__ import annotations

import logging

from carrel.core.context import HubContext
from carrel.core.users import remove_user
from carrel.domain.errors import CarrelError
from carrel.domain.paging import PageRequest
from carrel.storage.users import UserFilter

_log = logging.getLogger("carrel.core")


async def remove_invalid_users(ctx: HubContext) -> None:
    """Ask the authenticator (`add_user`) about everybody but those it blocks, and remove whom it refuses.

    An authenticator that cannot say, for an error of the system's, refuses nobody; one that refuses all of
    several users is not believed. May be repeated. The reconciler must be running.
    """
    names = await _names(ctx)
    refused = {name: reason for name in names if (reason := await _refusal(ctx, name))}
    if len(refused) == len(names) > 1:
        _log.error("The authenticator refuses all users (%s): none is removed", next(iter(refused.values())))
        return
    for name, reason in refused.items():
        _log.warning("User %s is removed, as delete_invalid_users says: %s", name, reason)
        try:
            await remove_user(ctx, name)
        except CarrelError as error:
            _log.warning("User %s could not be removed: %s", name, error)


async def _names(ctx: HubContext) -> list[str]:
    blocked, found = ctx.authenticator.blocked_users, list[str]()
    request: PageRequest | None = PageRequest()
    while request is not None:
        async with ctx.store.read() as tx:
            page = await tx.users.page(UserFilter(), request)
        found += [user.name for user in page.items if user.name not in blocked]
        request = None if page.next_offset is None else PageRequest(page.next_offset)
    return found


async def _refusal(ctx: HubContext, name: str) -> str:
    """Return why the authenticator refuses a user, empty when it does not or cannot say."""
    try:
        await ctx.authenticator.add_user_now(name)
    except CarrelError as error:
        if not isinstance(error.__cause__, OSError):
            return str(error)
        _log.warning("The authenticator cannot say whether %s is still a user: %s", name, error)
    return ""
