"""Cookies as the configuration wants browsers to keep them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from carrel.config.schema import Settings
from carrel.config.tornado import CookieOptions
from carrel.http.request import Connection, facts_of, hub_of

HOST_PREFIX = "__Host-"


@dataclass(frozen=True, slots=True)
class NewCookie:
    """What a browser is given."""

    key: str
    value: str
    path: str
    max_age: int | None = None
    """In seconds; None ends it with the browser, 0 at once."""
    http_only: bool = True


def give(response: Response, connection: Connection, cookie: NewCookie, options: CookieOptions) -> None:
    """Give the browser a cookie; one whose name begins with `__Host-` as browsers demand of those."""
    bound = cookie.key.startswith(HOST_PREFIX)
    response.set_cookie(
        cookie.key,
        cookie.value,
        cookie.max_age,
        path="/" if bound else cookie.path,
        domain=None if bound else options.domain or None,
        secure=bound or _secure(connection, options),
        httponly=cookie.http_only,
        samesite=options.same_site,
    )
    if options.partitioned:
        # The standard library knows this attribute from Python 3.14 on.
        name, line = response.raw_headers.pop()
        response.raw_headers.append((name, line + b"; Partitioned"))


def prefixed(settings: Settings, name: str) -> str:
    """Return the name of a log-in cookie as `cookie_host_prefix_enabled` wants it."""
    return f"{HOST_PREFIX}{name}" if settings.cookie_host_prefix_enabled else name


def _secure(connection: Connection, options: CookieOptions) -> bool:
    if options.secure is not None:
        return options.secure
    by_https = facts_of(connection.scope).scheme == "https"
    return by_https or hub_of(connection).hosts.origin.startswith("https:")
