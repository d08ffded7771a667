"""Signing in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carrel.authenticators.login import Refusal, check_login
from carrel.authenticators.policy import refuse_credentials
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import CarrelError
from carrel.domain.events import RightsChanged
from carrel.domain.identity import Identity
from carrel.domain.roles import scopes_of_user
from carrel.domain.scopes import Scopes
from carrel.domain.tokens import Session
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_secret, new_token

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A fresh session. `secret` goes into the log-in cookie and is kept nowhere else."""

    user: User
    secret: str
    session_id: str
    expires: Timestamp


async def log_in(ctx: HubContext, data: Mapping[str, str], handler: Any = None) -> LoggedIn | Refusal:
    """Check what a log-in form sent and open a session, or say why not."""

    async def exists(name: str) -> bool:
        return await _find(ctx, name) is not None

    outcome = await check_login(ctx.authenticator, handler, data, exists=exists)
    if isinstance(outcome, Refusal):
        return outcome
    if not await exists(outcome.name):
        try:
            await ctx.authenticator.add_user_now(outcome.name)
        except CarrelError as error:
            return Refusal(str(error), str(error))
    return await open_session(ctx, outcome)


async def caller_by_login(ctx: HubContext, data: Mapping[str, str]) -> Caller | Refusal:
    """Return who proves who they are with what a log-in form would send, or why not.

    No session is opened, and nobody becomes a user by it.
    """

    async def exists(name: str) -> bool:
        return await _find(ctx, name) is not None

    outcome = await check_login(ctx.authenticator, None, data, exists=exists)
    if isinstance(outcome, Refusal):
        return outcome
    user = await _find(ctx, outcome.name)
    if user is None:
        return refuse_credentials(outcome.name)
    return Caller(user, Scopes(scopes_of_user(user.name, user.admin)))


async def _find(ctx: HubContext, name: str) -> User | None:
    async with ctx.store.read() as tx:
        return await tx.users.get(name)


async def open_session(ctx: HubContext, identity: Identity) -> LoggedIn:
    """Return a new session of the user that `identity` names, who is created when new."""
    now = ctx.clock.now()
    secret, session_id = new_secret(), new_token()
    expires = now + ctx.settings.cookie_max_age_days * _DAY
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(identity.name)
        if user is None:
            user = await tx.users.create(identity.name, admin=bool(identity.admin), now=now)
        elif identity.admin is not None and identity.admin != user.admin:
            await tx.users.set_admin(user.id, identity.admin)
        await tx.sessions.add(Session(digest(secret), user.id, user.name, session_id, now, expires))
        tx.announce(RightsChanged(user.id))
    ctx.activity.user(user.id, now)
    return LoggedIn(user, secret, session_id, expires)


async def log_out(ctx: HubContext, caller: Caller) -> None:
    """End the caller's session, every token that servers got within it, and codes on their way to them."""
    async with ctx.store.write(durable=True) as tx:
        if caller.session_hash is not None:
            await tx.sessions.delete(caller.session_hash)
        if caller.session_id is not None:
            await tx.tokens.delete_of_session(caller.session_id)
            await tx.oauth.delete_codes_of_session(caller.session_id)
        tx.announce(RightsChanged(caller.user.id))
