"""Was this request made by one of our own pages? Two independent answers, and both must be yes.

First the browser's own word (Sec-Fetch-*, else Origin). Then the `_xsrf` token: a nonce with a signature over
it and the log-in cookie's secret, so it can be checked from cookies alone, and neither a token of another
session nor one planted by a page of a user's server fits. Before log-in there is nothing to bind it to: then
it must equal the cookie of the same name.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.config.tornado import cookie_options, may_be_framed
from carrel.domain.errors import Forbidden
from carrel.http.cookies import NewCookie, give
from carrel.http.request import Connection, cookies, facts_of, header, hub_of
from carrel.http.sessions import derive_key, login_secret
from carrel.lib.ids import same

XSRF_COOKIE = "_xsrf"
XSRF_HEADER = "x-xsrftoken"
_ANONYMOUS = "anonymous"
_LONGEST = 200


class StaleForm(Forbidden):
    """The form's token is missing or of another session; a fresh form will do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the browser says about where a request comes from; empty means it does not say."""

    site: str = ""
    mode: str = ""
    dest: str = ""
    origin: str = ""

    @classmethod
    def of(cls, connection: Connection) -> Origin:
        """Return what a request's headers say."""
        names = ("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "origin")
        site, mode, dest, origin = (header(connection, name).lower() for name in names)
        return cls(site, mode, dest, origin)


def is_ours(origin: Origin, host: str, *, framed: bool = False) -> bool:
    """Tell whether a request may change something, by the browser's word alone.

    Only a page of this very origin may: sent as a form of a top-level page, or of one in a frame where pages
    may be `framed`, or by its script. A browser that says nothing at all (no TLS, or not a browser) is left
    to the token.
    """
    if origin.origin and origin.origin.partition("://")[2] != host.lower():
        return False
    if not (origin.site or origin.mode or origin.dest):
        return True
    if origin.site not in {"same-origin", "none"}:
        return False
    if origin.mode == "navigate":
        return origin.dest in ({"", "document", "iframe"} if framed else {"", "document"})
    return origin.mode in {"", "cors", "same-origin"} and origin.dest in {"", "empty"}


def is_visit(origin: Origin) -> bool:
    """Tell whether a GET is a person opening a page here: typed, bookmarked, or a link on a page of ours."""
    return (
        origin.site in {"same-origin", "none"}
        and origin.mode == "navigate"
        and origin.dest in {"", "document"}
    )


def is_foreign(connection: Connection) -> bool:
    """Tell whether the browser says that another site made this request; not whether ours did."""
    return header(connection, "sec-fetch-site").lower() not in {"", "same-origin", "none"}


def xsrf_token(connection: Connection) -> str:
    """Return the token for this browser: the one that it has when that is good, else a new one."""
    for value in cookies(connection, XSRF_COOKIE):
        if _is_signed(connection, value):
            return value
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_signature(connection, nonce)}"


def set_xsrf(response: Response, connection: Connection, token: str) -> None:
    """Give the browser its token when it does not have it yet; scripts may read this cookie.

    Elsewhere than below /hub/ browsers do not show the cookies that they have, so nothing is set there.
    """
    path = f"{hub_of(connection).settings.base_url}hub/"
    facts = facts_of(connection.scope)
    if token in cookies(connection, XSRF_COOKIE) or not facts.path.startswith(path):
        return
    options = cookie_options(hub_of(connection).settings, "xsrf_cookie_kwargs")
    give(response, connection, NewCookie(XSRF_COOKIE, token, path, http_only=False), options)


def token_fits(connection: Connection, sent: str) -> bool:
    """Tell whether `sent` is this browser's token."""
    if not sent or not _is_signed(connection, sent):
        return False
    if login_secret(connection) is not None:
        return True
    return any(same(sent, value) for value in cookies(connection, XSRF_COOKIE))


def sent_token(connection: Connection) -> str:
    """Return the token from the X-XSRFToken header or the `_xsrf` query argument."""
    return header(connection, XSRF_HEADER) or str(connection.query_params.get(XSRF_COOKIE) or "")


async def check_form(request: Request) -> FormData:
    """Return the fields of a form that one of our own pages sent.

    Raises Forbidden when another site did, and StaleForm when its `_xsrf` field does not fit: show it again.
    """
    _refuse_foreign(request)
    form = await request.form()
    check_field(request, form.get(XSRF_COOKIE))
    return form


def check_field(connection: Connection, field: object) -> None:
    """Return when a form of one of our own pages was sent, with `field` as its `_xsrf`.

    Raises what `check_form` does.
    """
    _refuse_foreign(connection)
    if not any(
        token_fits(connection, sent) for sent in (field, sent_token(connection)) if isinstance(sent, str)
    ):
        raise StaleForm("The page was out of date, so nothing has been done. Please try again.")


def _refuse_foreign(connection: Connection) -> None:
    framed = may_be_framed(hub_of(connection).settings)
    if not is_ours(Origin.of(connection), header(connection, "host"), framed=framed):
        raise Forbidden("This request came from another site and was refused.")


def _is_signed(connection: Connection, value: str) -> bool:
    if len(value) > _LONGEST or not value.isascii():
        return False
    nonce, _, signature = value.rpartition(".")
    return bool(nonce) and same(signature, _signature(connection, nonce))


def _signature(connection: Connection, nonce: str) -> str:
    key = derive_key(hub_of(connection).settings.cookie_secret, "XSRF token")
    bound = login_secret(connection) or _ANONYMOUS
    return hmac.digest(key, f"{bound} {nonce}".encode(), "sha256").hex()
