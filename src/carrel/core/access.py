"""From a secret to a Caller: the one place that looks up tokens and sessions, and what users may do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from carrel.core import salted
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.roles import USER, Role, scopes_of_service, scopes_of_token, scopes_of_user
from carrel.domain.scopes import Scopes, expand, groups_named, known, reduce, users_named
from carrel.domain.services import Service
from carrel.domain.shares import Share, gives
from carrel.domain.tokens import Token
from carrel.domain.users import User
from carrel.lib.ids import digest, same, token_prefix
from carrel.storage.base import Transaction


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do, and why."""

    scopes: Scopes
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Those of their own, beside `user` and `admin`."""
    owners: frozenset[int] = frozenset()
    """Whose servers are shared with them, by id: what a share gives depends on what its owner may."""


async def rights_of(ctx: HubContext, tx: Transaction, user: User) -> Rights:
    """Return what a user may do now: by their own roles, those of their groups and of all, and by shares."""
    groups = await tx.groups.of_user(user.id)
    held = await tx.roles.of_user(user.id)
    names = tuple(each.role.name for each in held if each.direct)
    scopes = _by_roles(ctx, user, [each.role for each in held])
    shares = await tx.shares.of_user(user.id)
    if not shares:
        return Rights(Scopes(scopes), groups, names)
    shared = await given_by(ctx, tx, shares)
    owners = frozenset(share.server.owner_id for share in shares)
    return Rights(Scopes(reduce(scopes | shared)), groups, names, owners)


async def given_by(ctx: HubContext, tx: Transaction, shares: Iterable[Share]) -> frozenset[str]:
    """Return the expanded scopes that shares give now; a fixed number of queries.

    Each gives at most what its server's owner has by roles: who loses a right has not got it to share.
    """
    of_owner: dict[str, list[Share]] = {}
    for share in shares:
        of_owner.setdefault(share.server.owner, []).append(share)
    if not of_owner:
        return frozenset()
    owners = await tx.users.named(of_owner)
    ids = [owner.id for owner in owners]
    groups, direct = await tx.groups.of_users(ids), await tx.roles.of_users(ids)
    names = {USER.name}.union(*direct.values())
    roles = {role.name: role for role in await tx.roles.named(names)}
    of_groups = await tx.roles.of_bearers("groups", {name for each in groups.values() for name in each})
    found: set[str] = set()
    for owner in owners:
        own_groups = groups.get(owner.id, ())
        own = [roles[name] for name in (USER.name, *direct.get(owner.id, ())) if name in roles]
        own += [role for name in own_groups for role in of_groups.get(name, ())]
        held = Scopes(_by_roles(ctx, owner, own))
        for share in of_owner[owner.name]:
            found |= gives(share, held, {owner.name: own_groups}, ctx.catalog)
    return frozenset(found)


def _by_roles(ctx: HubContext, user: User, roles: Sequence[Role]) -> frozenset[str]:
    """Return what roles, and being an admin, give to a user, expanded."""
    # Before the roles are loaded for the first time everybody still has the usual one.
    granted = [scope for role in roles or (USER,) for scope in known(role.scopes, ctx.catalog)]
    return scopes_of_user(user.name, user.admin, granted, ctx.catalog)


async def rights_of_service(ctx: HubContext, tx: Transaction, service: Service) -> Rights:
    """Return what a service may do now: by its admin flag and by the roles that name it."""
    held = (await tx.roles.of_bearers("services", [service.name])).get(service.name, ())
    granted = known((scope for role in held for scope in role.scopes), ctx.catalog)
    scopes = scopes_of_service(service.name, service.admin, granted, ctx.catalog)
    return Rights(Scopes(scopes), roles=tuple(role.name for role in held))


async def caller_of_token(ctx: HubContext, secret: str) -> Caller | None:
    """Return who holds an API token, or None when it is unknown or expired."""
    now = ctx.clock.now()
    hashed = digest(secret)
    caller = ctx.callers.get(hashed, now) or await _look_up_token(ctx, secret, hashed)
    if caller is not None and isinstance(caller.token, Token):
        ctx.activity.token(caller.token.id, now, caller.token.last_activity)
        if caller.token.server_id is None:
            ctx.activity.user(caller.user.id, now, caller.user.last_activity)
    return caller


async def caller_of_session(ctx: HubContext, secret: str) -> Caller | None:
    """Return who is logged in with a cookie's secret, or None when the session has ended."""
    return await caller_of_session_hash(ctx, digest(secret))


async def caller_of_session_hash(ctx: HubContext, hashed: str) -> Caller | None:
    """Return who is logged in with a cookie whose secret has this digest, None when the session has ended."""
    now = ctx.clock.now()
    caller = ctx.callers.get(hashed, now) or await _look_up_session(ctx, hashed)
    if caller is not None:
        ctx.activity.user(caller.user.id, now, caller.user.last_activity)
    return caller


async def towards(ctx: HubContext, caller: Caller, names: Iterable[str]) -> Caller:
    """Return the caller with the groups of the users `names` looked up, when it may depend on them.

    Until then a scope for a group's members applies to nobody but the caller.
    """
    if not caller.scopes.group_filters:
        return caller
    wanted = sorted({name for name in names if not caller.is_user(name)} - caller.groups_of.keys())
    if not wanted:
        return caller
    async with ctx.store.read() as tx:
        found = await tx.groups.of_names(wanted)
    known_now = {**caller.groups_of, **dict.fromkeys(wanted, ()), **found}
    return replace(caller, groups_of=known_now)


async def _look_up_token(ctx: HubContext, secret: str, hashed: str) -> Caller | None:
    epoch = ctx.callers.epoch
    async with ctx.store.read() as tx:
        caller = await _caller_of_user_token(ctx, tx, secret) or await _caller_of_service_token(
            ctx, tx, secret
        )
    if caller is None or caller.token is None:
        return None
    if caller.token.hashed != hashed:
        await salted.keep_digest(ctx, caller.token, secret)
    expires = caller.token.expires if isinstance(caller.token, Token) else None
    ctx.callers.put(hashed, caller, expires, epoch)
    return caller


async def _caller_of_user_token(ctx: HubContext, tx: Transaction, secret: str) -> Caller | None:
    hashed = digest(secret)
    token = await tx.tokens.find(token_prefix(secret), hashed)
    if token is None:
        token = await salted.find_token(tx, secret)
    elif not same(token.hashed, hashed):
        return None
    if token is None or token.expired(ctx.clock.now()):
        return None
    user = await tx.users.get_by_id(token.user_id)
    if user is None:
        return None
    rights = await rights_of(ctx, tx, user)
    return Caller(
        owner=user,
        scopes=await token_scopes(ctx, tx, user, token.scopes, rights),
        token=token,
        session_id=token.session_id,
        groups=rights.groups,
        roles=rights.roles,
        watches=rights.scopes.group_filters | groups_named(token.scopes),
        owners=rights.owners,
    )


async def _caller_of_service_token(ctx: HubContext, tx: Transaction, secret: str) -> Caller | None:
    hashed = digest(secret)
    token = await tx.services.find_token(token_prefix(secret), hashed)
    if token is None:
        token = await salted.find_service_token(tx, secret)
    elif not same(token.hashed, hashed):
        return None
    service = None if token is None else await tx.services.get_by_id(token.service_id)
    if service is None:
        return None
    rights = await rights_of_service(ctx, tx, service)
    watched = rights.scopes.group_filters
    return Caller(owner=service, scopes=rights.scopes, token=token, roles=rights.roles, watches=watched)


async def _look_up_session(ctx: HubContext, hashed: str) -> Caller | None:
    epoch = ctx.callers.epoch
    async with ctx.store.read() as tx:
        session = await tx.sessions.find(hashed)
        if session is None or session.expired(ctx.clock.now()):
            return None
        user = await tx.users.get_by_id(session.user_id)
        if user is None:
            return None
        rights = await rights_of(ctx, tx, user)
    caller = Caller(
        owner=user,
        scopes=rights.scopes,
        session_id=session.session_id,
        session_hash=hashed,
        groups=rights.groups,
        roles=rights.roles,
        watches=rights.scopes.group_filters,
        owners=rights.owners,
    )
    ctx.callers.put(hashed, caller, session.expires, epoch)
    return caller


async def token_scopes(
    ctx: HubContext, tx: Transaction, user: User, granted: Iterable[str], rights: Rights
) -> Scopes:
    """Return what a token made with `granted` may do: never more than its owner may now."""
    return (await scopes_of_tokens(ctx, tx, user, [granted], rights))[0]


async def scopes_of_tokens(
    ctx: HubContext, tx: Transaction, user: User, granted: Iterable[Iterable[str]], rights: Rights
) -> list[Scopes]:
    """Return what each of a user's tokens may do, in order; at most one query, however many there are."""
    wanted = [known(scopes, ctx.catalog) for scopes in granted]
    groups: Mapping[str, Collection[str]] = {}
    if rights.scopes.group_filters or any(map(groups_named, wanted)):
        named = users_named(rights.scopes.names).union(
            *(users_named(expand(scopes, user.name, catalog=ctx.catalog)) for scopes in wanted)
        )
        groups = await tx.groups.of_names(named)
    held = rights.scopes.names
    return [Scopes(scopes_of_token(scopes, held, user.name, groups, ctx.catalog)) for scopes in wanted]
