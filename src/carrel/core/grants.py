"""What clients get at the token endpoint: tokens for codes, new ones for old ones, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from carrel.core import salted
from carrel.core.context import HubContext
from carrel.core.openid import Signer, claims_of
from carrel.core.tokens import new_record
from carrel.domain.events import RightsChanged
from carrel.domain.oauth import OFFLINE, OPENID, Grant, OAuthClient, OAuthCode, write_scopes
from carrel.domain.tokens import Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_secret, new_token, same, token_prefix
from carrel.storage.base import Transaction

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Issue:
    """The secrets that an answer hands out if the request is granted, and for how long they are good."""

    access: str = field(repr=False)
    lifetime: float
    family: str = field(repr=False)
    """The half of the refresh token that stays; empty when there is to be none."""
    fresh: str = field(repr=False)
    signer: Signer | None = None

    @property
    def refresh(self) -> str:
        """Return the refresh token."""
        return f"{self.family}.{self.fresh}"


@dataclass(frozen=True, slots=True)
class Grounds:
    """On what a request for tokens is granted: who, what, and since when."""

    user: User
    scopes: tuple[str, ...]
    refreshing: bool
    """Whether the client may come back for more."""
    id_token: str = field(default="", repr=False)
    code: OAuthCode | None = None


#: Whoever checks the request: is handed its grounds, None when there are none, and grants it or not.
Judge = Callable[[Grounds | None], bool]


def new_issue(ctx: HubContext, client: OAuthClient, signer: Signer | None, refresh: str = "") -> Issue:
    """Return fresh secrets for a client; `refresh` is the refresh token that it came with."""
    family = refresh.partition(".")[0] or new_token()
    return Issue(new_token(), access_lifetime(ctx, client), family, new_secret(), signer)


def access_lifetime(ctx: HubContext, client: OAuthClient) -> float:
    """Return how long an access token is good, in seconds.

    Servers and services keep theirs as long as a log-in lasts; other applications come back for new ones.
    """
    settings = ctx.settings
    if client.kind == "external":
        return settings.oauth_access_token_expires_in
    return settings.oauth_token_expires_in or settings.cookie_max_age_days * _DAY


async def redeem_code(ctx: HubContext, client: OAuthClient, code: str, issue: Issue, judge: Judge) -> bool:
    """Exchange a code for the tokens of `issue` if `judge` grants it; tell whether it did.

    The code is spent whatever comes of it, and looking at it and giving tokens are one transaction. Used once
    more, it ends what it was exchanged for (RFC 6749, 4.1.2).
    """
    async with ctx.store.write(durable=True) as tx:
        record = await tx.oauth.take_code(digest(code))
        if record is None:
            await _punish_second_use(tx, client, digest(code))
            return judge(None)
        user = await tx.users.get_by_id(record.user_id)
        if user is None or record.client_id != client.client_id or await _is_over(ctx, tx, record):
            return judge(None)
        refreshing = client.kind == "external" or OFFLINE in record.scopes
        grounds = Grounds(user, record.scopes, refreshing, code=record)
        grounds = await _with_id_token(ctx, tx, client, issue, grounds, record.auth_time, record.nonce)
        if not judge(grounds):
            return False
        # Staying connected is what `offline_access` means: then nothing ends with the log-in.
        session_id = None if OFFLINE in record.scopes else record.session_id
        token = await _add_token(ctx, tx, client, issue, grounds, session_id)
        grant_id = None
        if refreshing:
            grant_id = digest(issue.family)
            await tx.oauth.add_grant(
                Grant(
                    id=grant_id,
                    hashed=digest(issue.refresh),
                    client_id=client.client_id,
                    user_id=user.id,
                    session_id=session_id,
                    scopes=record.scopes,
                    auth_time=record.auth_time,
                    expires=ctx.clock.now() + ctx.settings.oauth_refresh_token_expires_in,
                    token_id=token.id,
                )
            )
        await tx.oauth.note_given(record.hashed, token.id, grant_id)
    return True


async def refresh(
    ctx: HubContext,
    client: OAuthClient,
    secret: str,
    issue: Issue,
    judge: Judge,
    narrow: Collection[str] = (),
) -> bool:
    """Exchange a refresh token for the tokens of `issue` if `judge` grants it; tell whether it did.

    With `narrow` the new access token is good for no more than these words of its scope. The old one ends. A
    refresh token that was used before was stolen, from the client or by it: everything that came of the same
    log-in ends (RFC 9700, 4.14.2).
    """
    now = ctx.clock.now()
    async with ctx.store.write(durable=True) as tx:
        grant = await _find_grant(tx, client, secret)
        user = None if grant is None else await tx.users.get_by_id(grant.user_id)
        if grant is None or user is None:
            return judge(None)
        if not same(grant.hashed, digest(secret)) or await _is_over(ctx, tx, grant):
            await _end_grant(tx, grant)
            return judge(None)
        kept = tuple(scope for scope in grant.scopes if not narrow or write_scopes([scope]) in narrow)
        given = await _with_id_token(ctx, tx, client, issue, Grounds(user, kept, True), grant.auth_time)
        # It is judged by all that was granted: asking for more is an error.
        if not judge(replace(given, scopes=grant.scopes)):
            return False
        token = await _add_token(ctx, tx, client, issue, given, grant.session_id)
        renewed = replace(
            grant,
            hashed=digest(issue.refresh),
            expires=now + ctx.settings.oauth_refresh_token_expires_in,
            token_id=token.id,
        )
        if not await tx.oauth.renew_grant(renewed, grant.hashed):
            # Somebody else was first, a moment ago.
            await tx.tokens.delete(token.id)
            await _end_grant(tx, await tx.oauth.get_grant(grant.id) or grant)
            return judge(None)
        await tx.tokens.delete(grant.token_id)
        tx.announce(RightsChanged(user.id))
    return True


async def revoke(ctx: HubContext, client: OAuthClient, secret: str) -> None:
    """End a token that the client was given, an access or a refresh token, and what came with it (RFC 7009).

    Unknown ones are fine.
    """
    async with ctx.store.write(durable=True) as tx:
        grant = await _find_grant(tx, client, secret)
        if grant is not None:
            await _end_grant(tx, grant)
            return
        token = await tx.tokens.find(token_prefix(secret), digest(secret))
        token = token or await salted.find_token(tx, secret)
        if token is not None and token.client_id == client.client_id:
            await tx.tokens.delete(token.id)
            tx.announce(RightsChanged(token.user_id))


async def _find_grant(tx: Transaction, client: OAuthClient, secret: str) -> Grant | None:
    grant = await tx.oauth.get_grant(digest(secret.partition(".")[0]))
    return grant if grant is not None and grant.client_id == client.client_id else None


async def _is_over(ctx: HubContext, tx: Transaction, given: OAuthCode | Grant) -> bool:
    """Tell whether a code or grant has expired, or the session in which it was given has ended."""
    now = ctx.clock.now()
    if now >= given.expires:
        return True
    if given.session_id is None:
        return False
    session = await tx.sessions.with_id(given.session_id)
    return session is None or session.expired(now)


async def _end_grant(tx: Transaction, grant: Grant) -> None:
    await tx.oauth.delete_grant(grant.id)
    await tx.tokens.delete(grant.token_id)
    tx.announce(RightsChanged(grant.user_id))


async def _punish_second_use(tx: Transaction, client: OAuthClient, hashed: str) -> None:
    code = await tx.oauth.spent_code(hashed)
    if code is None or code.client_id != client.client_id:
        return
    grant = None if code.grant_id is None else await tx.oauth.get_grant(code.grant_id)
    if grant is not None:
        await _end_grant(tx, grant)
    if code.token_id is not None:
        await tx.tokens.delete(code.token_id)
        tx.announce(RightsChanged(code.user_id))


async def _with_id_token(
    ctx: HubContext,
    tx: Transaction,
    client: OAuthClient,
    issue: Issue,
    grounds: Grounds,
    auth_time: Timestamp,
    nonce: str = "",
) -> Grounds:
    if issue.signer is None or OPENID not in grounds.scopes:
        return grounds
    groups = await tx.groups.of_user(grounds.user.id)
    id_token = issue.signer.id_token(
        claims_of(ctx, grounds.user, groups, grounds.scopes),
        audience=client.client_id,
        access_token=issue.access,
        auth_time=auth_time,
        now=ctx.clock.now(),
        nonce=nonce,
    )
    return replace(grounds, id_token=id_token)


async def _add_token(
    ctx: HubContext,
    tx: Transaction,
    client: OAuthClient,
    issue: Issue,
    grounds: Grounds,
    session_id: str | None,
) -> Token:
    now = ctx.clock.now()
    return await tx.tokens.add(
        new_record(
            grounds.user,
            issue.access,
            grounds.scopes,
            now=now,
            note=f"OAuth client {client.client_id}",
            expires=now + issue.lifetime,
            client_id=client.client_id,
            session_id=session_id,
        )
    )
