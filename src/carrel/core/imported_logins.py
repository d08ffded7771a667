"""Browsers that signed in at the JupyterHub before: their cookie opens a session of ours, once."""

from __future__ import annotations

from carrel.core.context import HubContext
from carrel.core.login import LoggedIn
from carrel.domain.events import RightsChanged
from carrel.domain.tokens import Session
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_secret, new_token
from carrel.storage.base import Transaction

_DAY = 86400.0
#: Several tabs of a browser may come with the same cookie before the first has its answer, in seconds.
_TOGETHER = 60.0
#: A cookie of another machine's clock may be a little ahead of ours.
_AHEAD = 600.0


async def exchange_login(
    ctx: HubContext, cookie: str, cookie_id: str, signed: Timestamp, session_id: str
) -> LoggedIn | None:
    """Return a new session for a log-in cookie of JupyterHub's, None when it is good for none.

    The caller has checked its signature; `cookie_id` is what it carries, `session_id` what the browser says
    is its session: it is kept when tokens of this user belong to it, so that they end with the log-out. The
    session ends when the cookie would have ended.
    """
    now = ctx.clock.now()
    expires = signed + ctx.settings.cookie_max_age_days * _DAY
    if now >= expires or signed > now + _AHEAD:
        return None
    async with ctx.store.write(durable=True) as tx:
        user_id = await tx.imported_logins.owner(digest(cookie_id), now=now)
        user = None if user_id is None else await tx.users.get_by_id(user_id)
        if user is None:
            return None
        first = await tx.imported_logins.spend(digest(cookie), user.id, now=now, expires=expires)
        if now - first > _TOGETHER:
            return None
        secret = new_secret()
        kept = session_id if await _is_theirs(tx, user.id, session_id) else new_token()
        await tx.sessions.add(Session(digest(secret), user.id, user.name, kept, now, expires))
        tx.announce(RightsChanged(user.id))
    return LoggedIn(user, secret, kept, expires)


async def _is_theirs(tx: Transaction, user_id: int, session_id: str) -> bool:
    return any(session_id == token.session_id for token in await tx.tokens.of_user(user_id))
