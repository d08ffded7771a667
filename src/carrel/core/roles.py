"""Who is given roles, and that nobody gives away more than they have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from carrel.core.access import rights_of
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden, Invalid
from carrel.domain.roles import ADMIN, USER, Role
from carrel.domain.scopes import expand, known, users_named
from carrel.domain.users import User
from carrel.storage.base import Transaction


async def refuse_gain(
    ctx: HubContext,
    tx: Transaction,
    caller: Caller,
    users: Sequence[User],
    roles: Sequence[Role],
    shared: Collection[str] = (),
) -> None:
    """Return when `roles` give `users` nothing new that the caller lacks; raise Forbidden otherwise.

    The same for scopes that they would get by shares.
    """
    gifts = [(f"Role {role.name}", known(role.scopes, ctx.catalog)) for role in roles]
    if shared:
        gifts.append(("A share", sorted(shared)))
    if caller.is_admin or not gifts:
        return
    for user in users:
        held = (await rights_of(ctx, tx, user)).scopes
        for what, scopes in gifts:
            given = expand(scopes, user.name, catalog=ctx.catalog)
            new = [scope for scope in given if not held.covers(scope)]
            giver = replace(caller, groups_of=await tx.groups.of_names(users_named(new)))
            extra = sorted(scope for scope in new if not giver.covers(scope))
            if extra:
                raise Forbidden(f"{what} gives {extra[0]}, which you do not have to give")


async def set_roles(
    ctx: HubContext, tx: Transaction, caller: Caller, user: User, names: Sequence[str]
) -> None:
    """Make `names` the roles of a user, except for `user`, which stays, and `admin`, which is a flag.

    Raises Invalid for a role that does not exist, Forbidden for one that gives, or gave, more than the caller
    has.
    """
    wanted = set(names) - {USER.name, ADMIN.name}
    found = {role.name: role for role in await tx.roles.named(wanted)}
    for name in sorted(wanted - found.keys()):
        raise Invalid(f"No such role: {name[:80]}")
    present = {each.role.name: each.role for each in await tx.roles.of_user(user.id) if each.direct}
    gained = [role for name, role in found.items() if name not in present]
    lost = [role for name, role in present.items() if name not in wanted]
    await refuse_gain(ctx, tx, caller, [user], gained)
    if lost and not caller.is_admin:
        raise Forbidden("Only admins can take roles away")
    for role in gained:
        await tx.roles.grant(role.id, [user.id])
    for role in lost:
        await tx.roles.revoke(role.id, [user.id])
