"""What a client asks of a visitor: what they can give of it, whether they are asked, and the code for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.oauth import Visit
from carrel.domain.errors import Invalid, Unauthenticated
from carrel.domain.oauth import (
    CLAIM_SCOPES,
    CODE_LIFETIME,
    OPENID,
    OAuthClient,
    OAuthCode,
    fill_filter,
    is_claim,
    read_scopes,
)
from carrel.domain.scope_catalog import METASCOPES
from carrel.domain.scopes import INHERIT, Scopes, expand, intersect, parse, users_named
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_secret
from carrel.storage.base import Transaction

#: What every client learns of its visitors.
_IDENTITY = ("read:users:name!user", "read:users:groups!user")
#: What JupyterHub 1 called them; asked for, it means nothing more.
_OLD_WORD = "identify"
_MOST_WORDS = 100


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """What a visitor's browser asked for at the authorize page, already validated."""

    client: OAuthClient
    redirect_uri: str
    scopes: tuple[str, ...]
    """What the client gets, as it is stored."""
    code_challenge: str = ""
    code_challenge_method: str = ""
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class AskedScope:
    """One line on the page that asks."""

    scope: str
    text: str
    limit: str = ""
    """To whom or what it is limited, in words; empty when it is not."""


async def allowed_scopes(
    ctx: HubContext, caller: Caller, client: OAuthClient, asked: str
) -> list[str] | None:
    """Return what the client asks for, without what it gets anyway; None when some of it is not for it.

    Asking for nothing means everything that the client may have. Names of roles stand for their scopes, as
    they did in JupyterHub 2. Beside `openid`, words that nobody knows are left out (OpenID Connect Core,
    3.1.2.1).
    """
    words = [word for word in read_scopes(asked) if word != _OLD_WORD]
    if not asked.strip():
        words = [word for word in client.allowed_scopes if not is_claim(word) and _is_scope(ctx, word)]
    if len(words) > _MOST_WORDS:
        return None
    async with ctx.store.read() as tx:
        scopes = await _resolve(ctx, tx, words)
    if scopes is None:
        return None
    filled = [fill_filter(client, scope) for scope in scopes]
    may = _limit_of(ctx, caller, client)
    wanted = [scope for scope in filled if scope not in required_scopes(client)]
    return wanted if all(_may_ask(ctx, caller, client, may, scope) for scope in wanted) else None


async def _resolve(ctx: HubContext, tx: Transaction, words: Sequence[str]) -> list[str] | None:
    """Return the scopes that words mean; None when one of them means nothing."""
    unknown = [word for word in words if not is_claim(word) and not _is_scope(ctx, word)]
    roles = {role.name: role.scopes for role in await tx.roles.named(unknown)} if unknown else {}
    if len(roles) < len(unknown) and OPENID not in words:
        return None
    found: dict[str, None] = {}
    for word in words:
        found |= dict.fromkeys(roles.get(word, ()) if word in unknown else (word,))
    return list(found)


def _is_scope(ctx: HubContext, word: str) -> bool:
    try:
        parse(word, ctx.catalog)
    except Invalid:
        return False
    return True


def _limit_of(ctx: HubContext, caller: Caller, client: OAuthClient) -> Scopes:
    allowed = [scope for scope in client.allowed_scopes if not is_claim(scope) and _is_scope(ctx, scope)]
    return Scopes(expand((*allowed, *required_scopes(client)), caller.user.name, catalog=ctx.catalog))


def _may_ask(ctx: HubContext, caller: Caller, client: OAuthClient, may: Scopes, scope: str) -> bool:
    if scope in client.allowed_scopes:
        return True
    if is_claim(scope):
        return False
    if INHERIT in client.allowed_scopes:
        return True
    meant = expand([scope], caller.user.name, catalog=ctx.catalog)
    return bool(meant) and all(map(may.covers, meant))


def required_scopes(client: OAuthClient) -> tuple[str, ...]:
    """Return what a client gets whatever it asks for: who the visitor is, and that they may be there."""
    return (*_IDENTITY, *client.own_access)


async def offered_scopes(ctx: HubContext, caller: Caller, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return what the visitor can give of what a client wants: what they hold themselves, and no more."""
    means = {
        scope: expand([scope], caller.user.name, catalog=ctx.catalog)
        for scope in wanted
        if not is_claim(scope) and scope not in METASCOPES
    }
    async with ctx.store.read() as tx:
        groups = await tx.groups.of_names(users_named(caller.scopes.names.union(*means.values())))
    visitor = replace(caller, groups_of=groups)
    offered: dict[str, None] = {}
    for scope in wanted:
        meant = means.get(scope)
        if meant is None or (meant and all(map(visitor.covers, meant))):
            offered[scope] = None
        else:
            offered |= dict.fromkeys(sorted(intersect(meant, caller.scopes.names, groups)))
    return tuple(offered)


def describe(ctx: HubContext, caller: Caller, scopes: Sequence[str]) -> list[AskedScope]:
    """Return what scopes mean, in words for the visitor."""
    return [_describe(ctx, caller, scope) for scope in scopes]


def _describe(ctx: HubContext, caller: Caller, scope: str) -> AskedScope:
    if is_claim(scope):
        return AskedScope(scope, CLAIM_SCOPES[scope])
    name, _, condition = scope.partition("!")
    kind, _, value = condition.partition("=")
    if kind == "user" and value in {"", caller.user.name}:
        limit = "only you"
    elif kind:
        limit = f"{'users in group' if kind == 'group' else kind} {value}".rstrip()
    else:
        limit = ""
    return AskedScope(name, ctx.catalog.scopes[name].text, limit)


async def needs_consent(ctx: HubContext, caller: Caller, visit: Visit, scopes: Sequence[str]) -> bool:
    """Tell whether the visitor has to be asked before a client gets `scopes`.

    Not for their own servers, for applications that the configuration trusts, and for what they have given
    already; but always for clients without a secret, for anybody can pretend to be those.
    """
    client = visit.client
    if client.public:
        return True
    if visit.own or not client.confirm:
        return False
    now = ctx.clock.now()
    async with ctx.store.read() as tx:
        tokens = await tx.tokens.of_user(caller.user.id)
        grants = await tx.oauth.grants_of_client(caller.user.id, client.client_id)
    given = [
        token.scopes for token in tokens if token.client_id == client.client_id and not token.expired(now)
    ]
    given += [grant.scopes for grant in grants if now < grant.expires]
    return not given or not {*scopes} <= {scope for scopes_given in given for scope in scopes_given}


async def signed_in_at(ctx: HubContext, caller: Caller) -> Timestamp:
    """Return when the caller's session began; raise Unauthenticated when it has ended meanwhile."""
    if caller.session_hash is None:
        return ctx.clock.now()
    async with ctx.store.read() as tx:
        return await _signed_in_at(tx, caller.session_hash)


async def _signed_in_at(tx: Transaction, session_hash: str) -> Timestamp:
    session = await tx.sessions.find(session_hash)
    if session is None:
        raise Unauthenticated("Your log-in has ended. Please log in again.")
    return session.created


async def issue_code(ctx: HubContext, caller: Caller, request: CodeRequest) -> str:
    """Return a fresh authorization code, good once and for five minutes.

    Raises Unauthenticated when the caller has logged out meanwhile.
    """
    code = new_secret()
    now = ctx.clock.now()
    async with ctx.store.write() as tx:
        began = now if caller.session_hash is None else await _signed_in_at(tx, caller.session_hash)
        record = OAuthCode(
            hashed=digest(code),
            client_id=request.client.client_id,
            user_id=caller.user.id,
            session_id=caller.session_id,
            redirect_uri=request.redirect_uri,
            scopes=tuple(dict.fromkeys((*required_scopes(request.client), *request.scopes))),
            expires=now + CODE_LIFETIME,
            code_challenge=request.code_challenge,
            code_challenge_method=request.code_challenge_method,
            nonce=request.nonce,
            auth_time=began,
        )
        await tx.oauth.add_code(record)
    return code
