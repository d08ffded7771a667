"""Signing in and out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from carrel.authenticators.base import Authenticator
from carrel.authenticators.login import Refusal, check_login
from carrel.authenticators.policy import refuse_credentials
from carrel.config.rights import RoleSetting
from carrel.core.access import rights_of
from carrel.core.auth_state import keep_auth_state, load_auth_state
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.groups import sync_groups
from carrel.core.metrics import done, timed
from carrel.core.rights import read_managed_roles, sync_roles
from carrel.core.sessions import end_what_was_given
from carrel.domain.errors import CarrelError, Conflict, Unavailable
from carrel.domain.events import RightsChanged, Work
from carrel.domain.identity import Identity
from carrel.domain.tokens import Session
from carrel.domain.users import User
from carrel.lib.awaiting import resolve_within
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_secret, new_token
from carrel.storage.base import Transaction

_DAY = 86400.0
_HOOK_LIMIT = 30.0
_log = logging.getLogger("carrel.core")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A fresh session. `secret` goes into the log-in cookie and is kept nowhere else."""

    user: User
    secret: str
    session_id: str
    expires: Timestamp


async def log_in(ctx: HubContext, data: Mapping[str, str], handler: Any = None) -> LoggedIn | Refusal:
    """Check what a log-in form sent and open a session, or say why not."""
    began = ctx.clock.monotonic()
    outcome = await prove(ctx, data, handler)
    found = outcome if isinstance(outcome, Refusal) else await admit(ctx, outcome)
    done(ctx, Work.LOG_IN, began, "failure" if isinstance(found, Refusal) else "success")
    return found


async def prove(
    ctx: HubContext,
    data: Mapping[str, Any] | None,
    handler: Any = None,
    authenticator: Authenticator | None = None,
) -> Identity | Refusal:
    """Return who has proved who they are and may come in, or why not; nothing is kept of it.

    Plug-ins that unite several ways to sign in name the authenticator that is asked in place of the hub's.
    """

    async def exists(name: str) -> bool:
        return await _find(ctx, name) is not None

    return await check_login(authenticator or ctx.authenticator, handler, data, exists=exists)


async def admit(ctx: HubContext, identity: Identity) -> LoggedIn | Refusal:
    """Open a session for somebody who has proved who they are; the authenticator may refuse a new user."""
    try:
        if await _find(ctx, identity.name) is None:
            await ctx.authenticator.add_user_now(identity.name)
        return await open_session(ctx, identity)
    except CarrelError as error:
        return Refusal(str(error), str(error), cause=error)


async def caller_by_login(ctx: HubContext, data: Mapping[str, str]) -> Caller | Refusal:
    """Return who proves who they are with what a log-in form would send, or why not.

    No session is opened, and nobody becomes a user by it.
    """
    outcome = await prove(ctx, data)
    if isinstance(outcome, Refusal):
        return outcome
    async with ctx.store.read() as tx:
        user = await tx.users.get(outcome.name)
        if user is None:
            return refuse_credentials(outcome.name)
        rights = await rights_of(ctx, tx, user)
    return Caller(user, rights.scopes, groups=rights.groups, roles=rights.roles)


async def _find(ctx: HubContext, name: str) -> User | None:
    async with ctx.store.read() as tx:
        return await tx.users.get(name)


async def open_session(ctx: HubContext, identity: Identity) -> LoggedIn:
    """Return a new session of the user that `identity` names, who is created when new.

    Raises Invalid and Conflict for groups, roles and state of the authenticator that cannot be.
    """
    identity = await _reconciled(ctx, identity, await _find(ctx, identity.name))
    now, roles = ctx.clock.now(), _roles_of(ctx, identity)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(identity.name) or await _create(tx, identity, now)
        await _keep(ctx, tx, user, identity, roles)
        login = await _add_session(ctx, tx, user)
        tx.announce(RightsChanged(user.id))
    ctx.activity.user(user.id, now)
    ctx.refreshes.note(user.id, ctx.clock.monotonic())
    return login


async def begin_session(ctx: HubContext, user: User) -> LoggedIn:
    """Return a new session of a user whom a plug-in knows; nothing else about them changes."""
    async with ctx.store.write(durable=True) as tx:
        return await _add_session(ctx, tx, user)


async def _add_session(ctx: HubContext, tx: Transaction, user: User) -> LoggedIn:
    now = ctx.clock.now()
    login = LoggedIn(user, new_secret(), new_token(), now + ctx.settings.cookie_max_age_days * _DAY)
    session = Session(digest(login.secret), user.id, user.name, login.session_id, now, login.expires)
    await tx.sessions.add(session)
    return login


async def keep_identity(ctx: HubContext, user: User, identity: Identity) -> None:
    """Keep what the authenticator says anew of somebody who is signed in; raises as `open_session` does."""
    identity = await _reconciled(ctx, identity, user)
    roles = _roles_of(ctx, identity)
    async with ctx.store.write(durable=True) as tx:
        await _keep(ctx, tx, user, identity, roles)
        tx.announce(RightsChanged(user.id))


async def _reconciled(ctx: HubContext, identity: Identity, user: User | None) -> Identity:
    """Return who has logged in with the state that the deployer's hook makes of the new one and the old one.

    Raises Unavailable when the hook fails: without its answer nobody knows what to keep.
    """
    hook = ctx.authenticator.reconcile_auth_state_hook
    if hook is None or not ctx.authenticator.enable_auth_state:
        return identity
    before = await load_auth_state(ctx, user) if user is not None else None
    state = None if identity.auth_state is None else dict(identity.auth_state)
    model = {**asdict(replace(identity, auth_state=None)), "auth_state": state}
    try:
        kept = hook(ctx.authenticator, model, None if before is None else dict(before))
        return replace(identity, auth_state=await resolve_within(kept, _HOOK_LIMIT))
    except Exception as error:
        _log.exception("reconcile_auth_state_hook failed for %s", identity.name)
        raise Unavailable(
            "The hub cannot log you in: Authenticator.reconcile_auth_state_hook failed."
        ) from error


def _roles_of(ctx: HubContext, identity: Identity) -> Sequence[RoleSetting] | None:
    return None if identity.roles is None else read_managed_roles(identity.roles, ctx.catalog)


async def _keep(
    ctx: HubContext,
    tx: Transaction,
    user: User,
    identity: Identity,
    roles: Sequence[RoleSetting] | None,
) -> None:
    if identity.admin is not None and identity.admin != user.admin:
        await tx.users.set_admin(user.id, identity.admin)
    if identity.user_info is not None and identity.user_info != user.user_info:
        await tx.users.set_info(user.id, identity.user_info)
    state = identity.auth_state if ctx.authenticator.enable_auth_state else None
    await keep_auth_state(ctx, tx, user, state)
    if identity.groups is not None:
        await sync_groups(tx, user, identity.groups)
    if roles is not None:
        await sync_roles(tx, user, roles)


async def _create(tx: Transaction, identity: Identity, now: Timestamp) -> User:
    """Return a new user, or the one that another hub has made at the same moment."""
    try:
        return await tx.users.create(identity.name, admin=bool(identity.admin), now=now)
    except Conflict:
        user = await tx.users.get(identity.name)
        if user is None:
            raise
        return user


async def log_out(ctx: HubContext, caller: Caller) -> None:
    """End the caller's session, every token that servers got within it, and codes on their way to them."""
    with timed(ctx, Work.LOG_OUT):
        async with ctx.store.write(durable=True) as tx:
            if caller.session_hash is not None:
                await tx.sessions.delete(caller.session_hash)
            if caller.session_id is not None:
                await end_what_was_given(tx, caller.session_id)
            tx.announce(RightsChanged(caller.user.id))
