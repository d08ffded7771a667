"""What the authenticator keeps about a user, encrypted in the database."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from carrel.core.context import HubContext
from carrel.domain.errors import Invalid
from carrel.domain.users import User
from carrel.lib.sealing import NoKeys, Unreadable
from carrel.storage.base import Transaction

_log = logging.getLogger("carrel.core")


async def keep_auth_state(
    ctx: HubContext, tx: Transaction, user: User, state: Mapping[str, Any] | None
) -> None:
    """Store a user's state, or that there is none; raise Invalid where there is no key to encrypt it with."""
    try:
        sealed = None if state is None else ctx.sealer.seal(dict(state))
    except NoKeys:
        raise Invalid(
            "auth_state cannot be kept, for there is no key to encrypt it with: set JUPYTERHUB_CRYPT_KEY, "
            "or c.CryptKeeper.keys"
        ) from None
    except TypeError as error:
        raise Invalid(f"auth_state cannot be kept: {error}") from None
    await tx.users.set_auth_state(user.id, sealed)


async def save_auth_state(ctx: HubContext, user: User, state: Mapping[str, Any] | None) -> None:
    """Store a user's state, at any time that the authenticator likes; raises as `keep_auth_state`."""
    async with ctx.store.write() as tx:
        await keep_auth_state(ctx, tx, user, state)


async def load_auth_state(ctx: HubContext, user: User) -> Mapping[str, Any] | None:
    """Return a user's state, None when there is none or it cannot be read with the present keys."""
    async with ctx.store.read() as tx:
        sealed = await tx.users.get_auth_state(user.id)
    if sealed is None:
        return None
    try:
        state: Mapping[str, Any] = ctx.sealer.open(sealed)
    except (NoKeys, Unreadable) as error:
        _log.warning("The auth_state of %s cannot be read: %s", user.name, error)
        return None
    return state
