"""The end of log-ins, with all that was given within them."""

from __future__ import annotations

from carrel.core.context import HubContext
from carrel.domain.events import RightsChanged
from carrel.domain.users import User
from carrel.storage.base import Transaction


async def end_sessions(ctx: HubContext, user: User) -> None:
    """End every log-in of a user, at all hubs and in all tabs, with all that it gave. May be repeated."""
    async with ctx.store.write(durable=True) as tx:
        for session in await tx.sessions.of_user(user.id):
            await end_what_was_given(tx, session.session_id)
        await tx.sessions.delete_of_user(user.id)
        await tx.imported_logins.delete_of_user(user.id)
        tx.announce(RightsChanged(user.id))


async def end_what_was_given(tx: Transaction, session_id: str) -> None:
    """End what servers, services and other applications were given within a log-in."""
    # Tokens last: what is being exchanged at this moment ends as well.
    await tx.oauth.delete_codes_of_session(session_id)
    await tx.oauth.delete_grants_of_session(session_id)
    await tx.tokens.delete_of_session(session_id)
