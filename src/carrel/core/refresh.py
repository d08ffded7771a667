"""Asking the authenticator now and then whether what is known of a signed-in user is still good.

JupyterHub's `refresh_user`, with `auth_refresh_age`, `refresh_pre_spawn` and `refresh_pre_stop`.
"""

from __future__ import annotations

import logging
from typing import Any

from carrel.authenticators.base import Authenticator
from carrel.authenticators.login import read_model
from carrel.core.access import caller_of_session_hash
from carrel.core.auth_state import load_auth_state
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import keep_identity
from carrel.core.runs import user_view
from carrel.core.sessions import end_sessions
from carrel.domain.errors import Forbidden
from carrel.domain.users import User
from carrel.lib.awaiting import resolve_within

#: How long the authenticator may take to answer, in seconds.
_LIMIT = 30.0
#: After how many seconds it is asked again when it could not say.
_AGAIN = 60.0
_log = logging.getLogger("carrel.auth")


async def refreshed(ctx: HubContext, caller: Caller) -> Caller | None:
    """Return who is signed in as the authenticator knows them now, None when they have to sign in again.

    It is asked once in `auth_refresh_age` seconds at each hub. When it cannot say, the log-in stays.
    """
    age = ctx.authenticator.auth_refresh_age
    if age <= 0 or not _cares(ctx.authenticator):
        return caller
    if not ctx.refreshes.is_due(caller.user.id, ctx.clock.monotonic(), age):
        return caller
    if not await _ask(ctx, caller.user, caller.groups, again=age - _AGAIN):
        return None
    return await caller_of_session_hash(ctx, caller.session_hash or "")


async def is_token_good(ctx: HubContext, caller: Caller) -> bool:
    """Tell whether a request by a token may go on: with `auth_refresh_strict`, while its user's log-in is.

    Without it the authenticator is not asked: whoever holds a token cannot be sent to the log-in page.
    """
    authenticator = ctx.authenticator
    age = authenticator.auth_refresh_age
    if not authenticator.auth_refresh_strict or age <= 0 or caller.service or not _cares(authenticator):
        return True
    if not ctx.refreshes.is_due(caller.user.id, ctx.clock.monotonic(), age):
        return True
    if await _ask(ctx, caller.user, caller.groups, again=age - _AGAIN):
        return True
    # The next request by a token is refused as well.
    ctx.refreshes.forget(caller.user.id)
    return False


async def require_fresh(ctx: HubContext, caller: Caller, user_name: str) -> None:
    """Ask the authenticator about a user now; raise Forbidden when they have to sign in again.

    They are told so when they ask themselves, in a browser. Who asks by a token, or for somebody else, cannot
    sign in for them, and goes on unless `auth_refresh_strict` is set.
    """
    if not _cares(ctx.authenticator):
        return
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        groups = () if user is None else await tx.groups.of_user(user.id)
    if user is None or await _ask(ctx, user, groups, again=0.0):
        return
    in_browser = caller.is_user(user_name) and caller.token is None
    if in_browser or ctx.authenticator.auth_refresh_strict:
        raise Forbidden(f"The log-in of {user.name} is no longer good: sign in again.")
    _log.warning(
        "The log-in of %s is no longer good, and %s, who asks, cannot renew it", user.name, caller.name
    )


def _cares(authenticator: Authenticator) -> bool:
    """Tell whether an authenticator has something of its own to say."""
    return type(authenticator).refresh_user is not Authenticator.refresh_user


async def _ask(ctx: HubContext, user: User, groups: tuple[str, ...], *, again: float) -> bool:
    """Tell whether a user's log-ins are still good, and keep what is new about the user.

    Where the authenticator cannot say, they are, and the moment is noted `again` seconds too early.
    """
    # At once: what is asked for meanwhile need not wait for the answer.
    ctx.refreshes.note(user.id, ctx.clock.monotonic())
    try:
        return await _heed_answer(ctx, user, groups, again=again)
    except BaseException:
        # Whoever asked was cancelled, or the log-ins could not be ended: nothing has come of the answer.
        ctx.refreshes.forget(user.id)
        raise


async def _heed_answer(ctx: HubContext, user: User, groups: tuple[str, ...], *, again: float) -> bool:
    now = ctx.clock.monotonic()
    try:
        answer = await resolve_within(
            ctx.authenticator.refresh_user(user_view(ctx, user, groups), None), _LIMIT
        )
        if answer and answer is not True:
            await _keep(ctx, user, answer)
    except Exception:  # a plug-in's own code: whatever goes wrong in it must not sign people out
        _log.exception("refresh_user cannot say whether the log-in of %s is still good", user.name)
        ctx.refreshes.note(user.id, now - again)
        return True
    if not answer:
        _log.info("%s has to sign in again, the authenticator says", user.name)
        await end_sessions(ctx, user)
    return bool(answer)


async def _keep(ctx: HubContext, user: User, model: Any) -> None:
    named = {"name": user.name, **model}
    if "auth_state" not in named:
        # Nothing said of it means that it stays, as under JupyterHub.
        named["auth_state"] = await load_auth_state(ctx, user)
    if named["name"] != user.name:
        raise ValueError(f"refresh_user answers about {named['name']!r}, who is somebody else")
    await keep_identity(ctx, user, read_model(ctx.authenticator, named))
