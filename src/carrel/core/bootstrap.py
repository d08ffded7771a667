"""Bring what the configuration says into the database; safe to repeat at every start."""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress

from carrel.authenticators.base import Authenticator
from carrel.domain.errors import CarrelError, Conflict
from carrel.domain.events import RightsChanged
from carrel.lib.clock import Clock
from carrel.lib.ids import new_token
from carrel.storage.base import Store

_log = logging.getLogger("carrel.core")
_HUB_ID = "hub_id"
_COOKIE_SECRET = "cookie_secret"  # noqa: S105 - the name, not the secret
_SECRET_LENGTH = 32


async def load_hub_id(store: Store) -> str:
    """Return this installation's id, made on first use: processes carry it to show whose they are."""
    return await _load(store, _HUB_ID, new_token())


async def load_cookie_secret(store: Store, own: bytes) -> bytes:
    """Return the secret with which all hubs of a database sign cookies.

    The first of them puts it there: `own`, the one that it has had so far, or a new one when that is empty.
    """
    return bytes.fromhex(
        await _load(store, _COOKIE_SECRET, (own or secrets.token_bytes(_SECRET_LENGTH)).hex())
    )


async def _load(store: Store, key: str, value: str) -> str:
    """Return a fact, which is `value` when there was none; hubs that start together get the same."""
    async with store.read() as tx:
        known = await tx.facts.get(key)
    if known is not None:
        return known
    async with store.write(durable=True) as tx:
        return await tx.facts.add(key, value)


async def load_named_users(store: Store, authenticator: Authenticator, clock: Clock) -> None:
    """Create the users that the configuration names, and give its admins the flag.

    The authenticator does first what new users need, such as making their accounts. Whom it refuses is a user
    by name all the same, as under JupyterHub: they may be given tokens; their log-in is another question.
    """
    admins = {authenticator.normalize_username(name) for name in authenticator.admin_users}
    allowed = {authenticator.normalize_username(name) for name in authenticator.allowed_users}
    if not admins and not allowed:
        return
    async with store.read() as tx:
        fresh = [name for name in sorted(admins | allowed) if await tx.users.get(name) is None]
    for name in fresh:
        try:
            await authenticator.add_user_now(name)
        except CarrelError as error:
            _log.info("The configuration names %s: %s", name, error)
    async with store.write(durable=True) as tx:
        for name in sorted(admins | allowed):
            if await tx.users.get(name) is None:
                # Another hub may be as far as this line.
                with suppress(Conflict):
                    await tx.users.create(name, admin=name in admins, now=clock.now())
            user = await tx.users.get(name)
            if user is not None and name in admins and not user.admin:
                await tx.users.set_admin(user.id, True)
                tx.announce(RightsChanged(user.id))
