"""API tokens: issuing, listing and revoking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from carrel.core.access import Rights, rights_of, token_scopes
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.roles import TOKEN
from carrel.domain.scopes import INHERIT, Scopes, expand, users_named
from carrel.domain.tokens import HUB_CLIENT_ID, Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_token, token_prefix
from carrel.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: its secret is shown this once."""

    token: Token
    secret: str
    scopes: Scopes


async def issue_token(
    ctx: HubContext,
    caller: Caller,
    user_name: str,
    *,
    note: str = "",
    scopes: Sequence[str] | None = None,
    roles: Sequence[str] = (),
    expires_in: float | None = None,
) -> NewToken:
    """Return a new token of a user, with `scopes` and those of `roles`, or as the role `token` says.

    Raises Invalid when that goes beyond the owner's or the caller's scopes, a role does not exist, or
    `expires_in` (seconds) is not positive.
    """
    caller.require("tokens", user=user_name)
    if expires_in is not None and expires_in <= 0:
        raise Invalid("expires_in must be a positive number of seconds")
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound(f"No such user: {user_name}")
        granted = await _granted(tx, scopes, roles)
        rights = await rights_of(ctx, tx, user)
        await _check_scopes(ctx, tx, caller, user, rights, granted)
        now = ctx.clock.now()
        expires = None if expires_in is None else now + expires_in
        secret = new_token()
        token = await tx.tokens.add(new_record(user, secret, granted, now=now, note=note, expires=expires))
        return NewToken(token, secret, await token_scopes(ctx, tx, user, granted, rights))


def new_record(user: User, secret: str, scopes: Sequence[str], *, now: Timestamp, **details: Any) -> Token:
    """Return the record of a token whose secret is `secret`, ready to be stored; rights are not checked here.

    `details` are further fields of Token: its note, expiry, client, session and server.
    """
    return Token(
        id=0,
        user_id=user.id,
        user_name=user.name,
        prefix=token_prefix(secret),
        hashed=digest(secret),
        scopes=tuple(scopes),
        created=now,
        **details,
    )


async def list_tokens(ctx: HubContext, caller: Caller, user_name: str) -> list[Token]:
    """Return a user's tokens that have not expired."""
    caller.require("read:tokens", user=user_name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound(f"No such user: {user_name}")
        now = ctx.clock.now()
        return [token for token in await tx.tokens.of_user(user.id) if not token.expired(now)]


async def revoke_token(ctx: HubContext, caller: Caller, user_name: str, token_id: int) -> None:
    """End a token; one that an OAuth client was given takes the user's others of that client with it."""
    caller.require("tokens", user=user_name)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(user_name)
        token = None if user is None else await tx.tokens.get(token_id)
        if user is None or token is None or token.user_id != user.id:
            raise NotFound(f"No such token: a{token_id}")
        if token.client_id == HUB_CLIENT_ID:
            await tx.tokens.delete(token.id)
        else:
            await tx.tokens.delete_of_client(user.id, token.client_id)
        tx.announce(RightsChanged(user.id))


async def _granted(tx: Transaction, scopes: Sequence[str] | None, roles: Sequence[str]) -> tuple[str, ...]:
    """Return the scopes that a new token is to have, not expanded."""
    if scopes is None and not roles:
        stored = await tx.roles.named([TOKEN.name])
        return stored[0].scopes if stored else TOKEN.scopes
    found = {role.name: role.scopes for role in await tx.roles.named(roles)}
    for name in roles:
        if name not in found:
            raise Invalid(f"No such role: {name[:80]}")
    wanted = [*(scopes or ()), *(scope for name in roles for scope in found[name])]
    return tuple(dict.fromkeys(wanted))


async def _check_scopes(
    ctx: HubContext, tx: Transaction, caller: Caller, owner: User, rights: Rights, scopes: Sequence[str]
) -> None:
    """Return when a token with `scopes` can do nothing that its owner or its maker may not; raise Invalid."""
    owned = rights.scopes
    wanted = owned.names if INHERIT in scopes else expand(scopes, owner.name, catalog=ctx.catalog)
    groups = await tx.groups.of_names(users_named(wanted))
    extra = sorted(scope for scope in wanted if not owned.covers(scope, groups))
    if extra:
        raise Invalid(f"Not assigning requested scopes: {', '.join(extra)}: {owner.name} does not have them")
    maker = replace(caller, groups_of=groups)
    extra = sorted(scope for scope in wanted if not maker.covers(scope))
    if extra:
        raise Invalid(f"Not assigning scopes that the caller does not have: {', '.join(extra[:5])}")
