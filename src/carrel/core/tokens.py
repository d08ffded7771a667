"""API tokens: issuing, listing and revoking them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from carrel.core.access import Rights, rights_of, scopes_of_tokens, token_scopes
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden, Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.roles import TOKEN
from carrel.domain.scopes import INHERIT, Scopes, expand, users_named
from carrel.domain.tokens import HUB_CLIENT_ID, Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_token, token_prefix
from carrel.storage.base import Transaction

_LONGEST_LIFE = 1000 * 366 * 86400.0
# Longer numbers fit no database.
_PUBLIC_ID = re.compile(r"a([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class OwnedToken:
    """A token, and what it may do now."""

    token: Token
    scopes: Scopes


@dataclass(frozen=True, slots=True)
class NewToken(OwnedToken):
    """A token that was just made: its secret is shown this once."""

    secret: str


async def issue_token(
    ctx: HubContext,
    caller: Caller,
    user_name: str,
    *,
    note: str = "",
    scopes: Sequence[str] | None = None,
    roles: Sequence[str] | None = None,
    expires_in: float | None = None,
) -> NewToken:
    """Return a new token of a user, with `scopes`, those of `roles`, or else what the role `token` says.

    Without `expires_in` (seconds) it lives as long as `token_expires_in_max_seconds` says. Raises Invalid
    when that goes beyond the owner's or the caller's scopes, a role does not exist, both are given, or the
    lifetime is not positive or longer than allowed, and Forbidden for an unknown user and for one whose
    tokens the caller may not make.
    """
    if not caller.may("tokens", user=user_name):
        raise _no_user(caller, user_name)
    expires_in = _lifetime(ctx, expires_in)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise _no_user(caller, user_name)
        granted = await _granted(tx, scopes, roles)
        rights = await rights_of(ctx, tx, user)
        await _check_scopes(ctx, tx, caller, user, rights, granted)
        now = ctx.clock.now()
        expires = None if expires_in is None else now + expires_in
        secret = new_token()
        token = await tx.tokens.add(new_record(user, secret, granted, now=now, note=note, expires=expires))
        return NewToken(token, await token_scopes(ctx, tx, user, granted, rights), secret)


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


async def list_tokens(ctx: HubContext, caller: Caller, user_name: str) -> list[OwnedToken]:
    """Return a user's tokens that have not expired, the one that was not used for longest first.

    Those of applications that can come back for new ones stay, so that their owner sees and can end that.
    """
    caller.require("read:tokens", user=user_name)
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound(f"No such user: {user_name}")
        tokens = map(ctx.activity.of_token, await tx.tokens.of_user(user.id))
        now = ctx.clock.now()
        renewable = await tx.oauth.tokens_of_grants(user.id)
        good = [token for token in tokens if token.id in renewable or not token.expired(now)]
        good.sort(key=lambda token: token.last_activity or token.created)
        rights = await rights_of(ctx, tx, user)
        scopes = await scopes_of_tokens(ctx, tx, user, [token.scopes for token in good], rights)
    return list(map(OwnedToken, good, scopes))


async def get_token(ctx: HubContext, caller: Caller, user_name: str, token_id: str) -> OwnedToken:
    """Return one of a user's tokens by its public id (`a12`); raise NotFound when there is none."""
    for found in await list_tokens(ctx, caller, user_name):
        if f"a{found.token.id}" == token_id:
            return found
    raise _no_token(user_name, token_id)


async def revoke_token(ctx: HubContext, caller: Caller, user_name: str, token_id: str) -> None:
    """End a token, named by its public id (`a12`), at once; raise NotFound when there is none.

    One that an OAuth client was given takes the user's others of that client with it.
    """
    caller.require("tokens", user=user_name)
    async with ctx.store.write(durable=True) as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound(f"No such user: {user_name}")
        number = _PUBLIC_ID.fullmatch(token_id)
        token = None if number is None else await tx.tokens.get(int(number[1]))
        if token is None or token.user_id != user.id:
            raise _no_token(user_name, token_id)
        if token.client_id == HUB_CLIENT_ID:
            await tx.tokens.delete(token.id)
        else:
            await tx.oauth.delete_grants_of_client(user.id, token.client_id)
            await tx.tokens.delete_of_client(user.id, token.client_id)
        tx.announce(RightsChanged(user.id))


async def _granted(
    tx: Transaction, scopes: Sequence[str] | None, roles: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the scopes that a new token is to have, not expanded."""
    if scopes is not None and roles is not None:
        raise Invalid("Can only assign one of scopes or roles when creating tokens.")
    if scopes is not None:
        return tuple(dict.fromkeys(scopes))
    if roles is None:
        stored = await tx.roles.named([TOKEN.name])
        return stored[0].scopes if stored else TOKEN.scopes
    found = {role.name: role.scopes for role in await tx.roles.named(roles)}
    for name in roles:
        if name not in found:
            raise Invalid(f"No such role: {name[:80]}")
    return tuple(dict.fromkeys(scope for name in roles for scope in found[name]))


def _lifetime(ctx: HubContext, expires_in: float | None) -> float | None:
    """Return how long a token may live, in seconds; None for one without end."""
    longest = ctx.settings.token_expires_in_max_seconds
    if expires_in is None:
        return longest or None
    if expires_in <= 0:
        raise Invalid(f"expires_in must be a positive integer or null, not {expires_in}", field="expires_in")
    if longest and expires_in > longest:
        raise Invalid(f"token expires_in: {expires_in} must not exceed {longest}", field="expires_in")
    if expires_in > _LONGEST_LIFE:
        raise Invalid(
            "expires_in is more than a thousand years: leave it out for a token without end",
            field="expires_in",
        )
    return expires_in


def _no_user(caller: Caller, user_name: str) -> Forbidden:
    # JupyterHub puts the caller's kind before the user's name, and clients compare words.
    return Forbidden(f"{caller.kind.title()} {user_name[:80]} not found or no permissions to generate tokens")


def _no_token(user_name: str, token_id: str) -> NotFound:
    return NotFound(f"No such token {token_id[:40]} for user {user_name}")


async def _check_scopes(
    ctx: HubContext, tx: Transaction, caller: Caller, owner: User, rights: Rights, scopes: Sequence[str]
) -> None:
    """Return when a token with `scopes` can do nothing that its owner or its maker may not; raise Invalid."""
    owned = rights.scopes
    try:
        wanted = owned.names if INHERIT in scopes else expand(scopes, owner.name, catalog=ctx.catalog)
    except Invalid as error:
        raise Invalid(str(error), field="scopes") from None
    groups = await tx.groups.of_names(users_named(wanted))
    extra = sorted(scope for scope in wanted if not owned.covers(scope, groups))
    if extra:
        raise Invalid(
            f"Not assigning requested scopes {','.join(extra)} not held by User {owner.name}", field="scopes"
        )
    maker = replace(caller, groups_of=groups)
    extra = sorted(scope for scope in wanted if not maker.covers(scope))
    if extra:
        raise Invalid(
            f"Not assigning scopes that the caller does not have: {', '.join(extra[:5])}", field="scopes"
        )
