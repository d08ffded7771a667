"""From a secret to a Caller: the one place that looks up tokens and sessions."""

from __future__ import annotations

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.roles import scopes_of_token, scopes_of_user
from carrel.domain.scopes import Scopes
from carrel.domain.tokens import Token
from carrel.domain.users import User
from carrel.lib.ids import digest, same, token_prefix


async def caller_of_token(ctx: HubContext, secret: str) -> Caller | None:
    """Return who holds an API token, or None when it is unknown or expired."""
    now = ctx.clock.now()
    hashed = digest(secret)
    caller = ctx.callers.get(hashed, now) or await _look_up_token(ctx, secret, hashed)
    if caller is not None and caller.token is not None:
        ctx.activity.token(caller.token.id, now, caller.token.last_activity)
        if caller.token.server_id is None:
            ctx.activity.user(caller.user.id, now, caller.user.last_activity)
    return caller


async def caller_of_session(ctx: HubContext, secret: str) -> Caller | None:
    """Return who is logged in with a cookie's secret, or None when the session has ended."""
    now = ctx.clock.now()
    hashed = digest(secret)
    caller = ctx.callers.get(hashed, now) or await _look_up_session(ctx, hashed)
    if caller is not None:
        ctx.activity.user(caller.user.id, now, caller.user.last_activity)
    return caller


async def _look_up_token(ctx: HubContext, secret: str, hashed: str) -> Caller | None:
    epoch = ctx.callers.epoch
    async with ctx.store.read() as tx:
        token = await tx.tokens.find(token_prefix(secret), hashed)
        if token is None or not same(token.hashed, hashed) or token.expired(ctx.clock.now()):
            return None
        user = await tx.users.get_by_id(token.user_id)
    if user is None:
        return None
    caller = Caller(user=user, scopes=token_scopes(user, token), token=token, session_id=token.session_id)
    ctx.callers.put(hashed, caller, token.expires, epoch)
    return caller


async def _look_up_session(ctx: HubContext, hashed: str) -> Caller | None:
    epoch = ctx.callers.epoch
    async with ctx.store.read() as tx:
        session = await tx.sessions.find(hashed)
        if session is None or session.expired(ctx.clock.now()):
            return None
        user = await tx.users.get_by_id(session.user_id)
    if user is None:
        return None
    caller = Caller(
        user=user,
        scopes=Scopes(scopes_of_user(user.name, user.admin)),
        session_id=session.session_id,
        session_hash=hashed,
    )
    ctx.callers.put(hashed, caller, session.expires, epoch)
    return caller


def token_scopes(user: User, token: Token) -> Scopes:
    """Return what a token may do: never more than its owner may now."""
    return Scopes(scopes_of_token(token.scopes, scopes_of_user(user.name, user.admin), user.name))
