"""Bring what the configuration says into the database; safe to repeat at every start."""

from __future__ import annotations

from carrel.authenticators.base import Authenticator
from carrel.lib.clock import Clock
from carrel.lib.ids import new_token
from carrel.storage.base import Store

_HUB_ID = "hub_id"


async def load_hub_id(store: Store) -> str:
    """Return this installation's id, made on first use: processes carry it to show whose they are."""
    async with store.read() as tx:
        known = await tx.facts.get(_HUB_ID)
    if known is not None:
        return known
    async with store.write(durable=True) as tx:
        known = await tx.facts.get(_HUB_ID)
        if known is None:
            known = new_token()
            await tx.facts.put(_HUB_ID, known)
    return known


async def load_named_users(store: Store, authenticator: Authenticator, clock: Clock) -> None:
    """Create the users that the configuration names, and give its admins the flag."""
    admins = {authenticator.normalize_username(name) for name in authenticator.admin_users}
    allowed = {authenticator.normalize_username(name) for name in authenticator.allowed_users}
    if not admins and not allowed:
        return
    async with store.write(durable=True) as tx:
        for name in sorted(admins | allowed):
            user = await tx.users.get(name)
            if user is None:
                await tx.users.create(name, admin=name in admins, now=clock.now())
            elif name in admins and not user.admin:
                await tx.users.set_admin(user.id, True)
