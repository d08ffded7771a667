"""Who is calling: by the Authorization header, or by the log-in cookie."""

from __future__ import annotations

from carrel.config.tornado import may_be_framed
from carrel.core.access import caller_of_session, caller_of_token, towards
from carrel.core.caller import Caller, identified
from carrel.core.refresh import is_token_good, refreshed
from carrel.http.csrf import Origin, is_ours, is_visit, sent_token, token_fits
from carrel.http.request import Connection, facts_of, header, hub_of, is_api
from carrel.http.sessions import login_secret

_SCHEMES = {"token", "bearer"}
_HARMLESS = {"HEAD", "OPTIONS"}
_LONGEST_TOKEN = 1024


async def identify(connection: Connection) -> Caller | None:
    """Return who sent a request, or None for nobody; looked up once per request.

    Tokens are for the REST API and for servers: there a bad one is nobody and never falls back to the cookie.
    To the API a cookie counts only together with the XSRF token. Other pages know people by it alone. The
    groups of the user in the path are looked up along with them, where they matter.
    """
    facts = facts_of(connection.scope)
    if not facts.looked_up:
        facts.caller = await _look_up(connection)
        facts.looked_up = True
    name = connection.scope.get("path_params", {}).get("name")
    if name is not None and facts.caller is not None:
        facts.caller = await towards(hub_of(connection), facts.caller, [name])
    return facts.caller


async def require_caller(connection: Connection) -> Caller:
    """Return who sent a request; raise Unauthenticated when nobody did."""
    return identified(await identify(connection))


def bearer_token(connection: Connection) -> str | None:
    """Return the token of an Authorization header, or None when it has none (another scheme is none)."""
    scheme, _, token = header(connection, "authorization").strip().partition(" ")
    return token.strip() if scheme.lower() in _SCHEMES else None


async def _look_up(connection: Connection) -> Caller | None:
    hub = hub_of(connection)
    facts, base_url = facts_of(connection.scope), hub.settings.base_url
    path = facts.path
    is_page = not (is_api(path, base_url) or facts.for_programs)
    # Of the pages, programs ask for these two.
    programs = path.startswith(f"{base_url}hub/user/") or path.rstrip("/") == f"{base_url}hub/metrics"
    token = bearer_token(connection) if not is_page or programs else None
    if token is not None:
        usable = token and token.isascii() and len(token) <= _LONGEST_TOKEN
        holder = await caller_of_token(hub, token) if usable else None
        return holder if holder is None or await is_token_good(hub, holder) else None
    secret = login_secret(connection)
    if secret is None or not (is_page or _cookie_counts(connection)):
        return None
    caller = await caller_of_session(hub, secret)
    return None if caller is None else await refreshed(hub, caller)


def _cookie_counts(connection: Connection) -> bool:
    """Tell whether a cookie may speak for its owner to the API; pages check their forms themselves."""
    facts = facts_of(connection.scope)
    if facts.method in _HARMLESS:
        return True
    origin = Origin.of(connection)
    if facts.method == "GET":
        return is_visit(origin) or token_fits(connection, sent_token(connection))
    content_type = header(connection, "content-type").partition(";")[0].strip().lower()
    if content_type not in {"", "application/json"}:
        return False
    framed = may_be_framed(hub_of(connection).settings)
    ours = is_ours(origin, header(connection, "host"), framed=framed)
    return ours and token_fits(connection, sent_token(connection))
