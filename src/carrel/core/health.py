"""Whether the hub can do its work."""

from __future__ import annotations

from carrel.core.context import HubContext
from carrel.domain.errors import Unavailable
from carrel.storage.base import StorageError


async def check_health(ctx: HubContext) -> None:
    """Return when the database answers; raise Unavailable otherwise."""
    try:
        async with ctx.store.read() as tx:
            await tx.facts.get("hub_id")
    except StorageError as error:
        raise Unavailable("The database does not answer.") from error
