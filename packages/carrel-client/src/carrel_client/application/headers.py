"""What passes between browser and application, and what does not: pure functions over headers and paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case."""

#: About one connection, not about the message; `transfer-encoding` is made anew where it is needed.
_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer"
    b" upgrade".split()
)
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host"})
#: By these an application may know people: nobody but us sets them.
_IDENTITY = re.compile(
    rb"x-carrel-.*|(?:x-)?(?:forwarded|remote|auth|authenticated|webauth|auth-request|original|proxy)-"
    rb"(?:user|users|username|name|groups?|e-?mail|preferred-username|roles?|access-token)"
    rb"|x-auth-request-.*|x-forwarded-prefix|x-script-name|x-user|x-username"
    rb"|x-rstudio-username|(?:x-ms-client-principal|x-goog-authenticated-user|x-goog-iap|x-amzn-oidc|cf-access"
    rb"|x-authentik|x-pomerium|x-vouch|tailscale-user)(?:-.*)?"
)
#: What a page could do to the rest of its host, or to the hub's log-in.
_REACHES_OUT = frozenset(
    b"clear-site-data service-worker-allowed strict-transport-security alt-svc public-key-pins"
    b" public-key-pins-report-only expect-ct nel report-to accept-ch set-login"
    b" sec-session-registration secure-session-registration x-jupyterhub-version referrer-policy".split()
)
_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: Browsers take these out of an address before they read it (WHATWG URL, 4.4).
_UNREAD = re.compile(r"^[\x00-\x20]+|[\t\r\n]")
_SLASHES = re.compile(r"^(?:/|\\|%2f|%5c)+", re.IGNORECASE)
_HUBS = ("jupyterhub-", "__host-jupyterhub-")


class BadPath(Exception):
    """A path that browser and application could take for different ones."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How one application is served."""

    prefix: str
    """The path below which the browser finds it, with a slash at either end."""
    client_id: str
    """The name of the log-in's cookie."""
    strip_prefix: bool = False
    """The application thinks that it is at the top of its host."""
    identity_header: str = ""
    """One more header for the visitor's name."""

    def is_reserved(self, cookie: str) -> bool:
        """Tell whether a cookie is the hub's or ours: applications neither see nor set those."""
        name = cookie.lower()
        own = self.client_id.lower()
        return name.startswith(_HUBS) or name == own or name.startswith((f"{own}-", f"__host-{own}"))


def target_for(target: str, rules: Rules, *, without_token: bool) -> str:
    """Return the path and query that the application is asked for; raise BadPath for an ambiguous one.

    `without_token` takes the argument `token` out, which is a visitor's and none of the application's.
    """
    path, mark, query = target.partition("?")
    if not path.startswith("/") or "#" in target or "\\" in path:
        raise BadPath(path)
    segments = path.split("/")
    if any(map(_climbs, segments)):
        raise BadPath(path)
    own = rules.prefix.strip("/").split("/") if rules.prefix.strip("/") else []
    if [unquote(each) for each in segments[1 : len(own) + 1]] != [unquote(each) for each in own]:
        raise BadPath(path)
    if rules.strip_prefix:
        rest = "/".join(segments[len(own) + 1 :])
        # Several slashes at the beginning of a path name a host where a redirect repeats them.
        path = f"/{_SLASHES.sub('', rest)}"
    if without_token:
        query = "&".join(part for part in query.split("&") if unquote(part.partition("=")[0]) != "token")
    return f"{path}?{query}" if query or (mark and not without_token) else path


def _climbs(segment: str) -> bool:
    """Tell whether somebody may read dots in a segment: behind an escaped slash, or with parameters."""
    parts = re.split(r"[/\\]", unquote(segment))
    return any(part.partition(";")[0] in (".", "..") for part in parts)


def to_application(
    headers: Headers, rules: Rules, ours: Iterable[tuple[str, str]], *, token_used: bool, websocket: bool
) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request as the application gets them; `ours` says who the visitor is."""
    named, chunked = _connection_names(headers), any(name == b"transfer-encoding" for name, _ in headers)
    kept = []
    for name, value in headers:
        if name == b"content-length" and chunked:
            # With both, two programs may see the end of a request in different places.
            continue
        if name in _FRAMING:
            kept.append((name, value))
        elif b"_" in name or name in _HOP or name in named or _is_identity(name, rules) or name == b"expect":
            # With an underscore it is the same header for many applications, and no header for us.
            continue
        elif name == b"authorization" and token_used:
            continue
        elif name == b"cookie":
            cookies = _without_reserved(value.decode("latin-1"), rules)
            kept += [(name, cookies.encode("latin-1"))] if cookies else []
        else:
            kept.append((name, value))
    kept += [(name.encode("ascii"), value.encode("ascii")) for name, value in ours]
    if websocket:
        return [*kept, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    return kept


def to_browser(headers: Headers, rules: Rules, origins: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer as the browser gets them; `origins` are the application's own."""
    named = _connection_names(headers)
    kept = []
    for name, value in headers:
        if name == b"set-cookie":
            cookie = _confined(value.decode("latin-1"), rules)
            kept += [(name, cookie.encode("latin-1"))] if cookie else []
        elif name in _HOP or name in _REACHES_OUT or (name in named and name not in _FRAMING):
            continue
        elif name in (b"location", b"content-location"):
            kept.append((name, _location(value.decode("latin-1"), rules, origins).encode("latin-1")))
        else:
            kept.append((name, value))
    kept.append((b"content-security-policy", b"frame-ancestors 'self'"))
    # By the path in the Referer the gate knows the application's own pages.
    kept.append((b"referrer-policy", b"same-origin"))
    return kept


def _connection_names(headers: Headers) -> set[bytes]:
    values = b",".join(value for name, value in headers if name == b"connection")
    return {part.strip().lower() for part in values.split(b",")} - {b""}


def _is_identity(name: bytes, rules: Rules) -> bool:
    own = rules.identity_header.lower().encode("ascii")
    return name == own or _IDENTITY.fullmatch(name) is not None


def _without_reserved(cookies: str, rules: Rules) -> str:
    parts = (part.strip() for part in cookies.split(";"))
    return "; ".join(part for part in parts if part and not rules.is_reserved(part.partition("=")[0].strip()))


def _confined(cookie: str, rules: Rules) -> str:
    """Return a Set-Cookie that reaches no further than the application; empty for one that must not be."""
    pair, *attributes = (part.strip() for part in cookie.split(";"))
    name, separator, _ = pair.partition("=")
    if not separator or not _COOKIE_NAME.fullmatch(name.strip()) or rules.is_reserved(name.strip()):
        return ""
    kept, path = [pair], rules.prefix
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        if key.strip().lower() == "path":
            path = value.strip()
        elif key.strip().lower() != "domain":
            kept.append(attribute)
    if rules.strip_prefix and path.startswith("/") and not path.startswith(rules.prefix):
        path = rules.prefix + path.lstrip("/")
    within = path.startswith(rules.prefix) and ".." not in unquote(path)
    return "; ".join([*kept, f"Path={path if within else rules.prefix}"])


def _location(value: str, rules: Rules, origins: Iterable[str]) -> str:
    """Return a redirect as the browser has to follow it: the application's own address is not to be seen."""
    value = _UNREAD.sub("", value)
    for origin in origins:
        if value == origin or value.startswith((f"{origin}/", f"{origin}?")):
            value = value.removeprefix(origin) or "/"
            value = value if value.startswith("/") else f"/{value}"
            break
    if re.match(r"[/\\]{2}", value):
        # Nobody writes an address so; it is a path that somebody made up for it to be taken for one.
        return rules.prefix + _SLASHES.sub("", value)
    if not value.startswith("/"):
        return value
    parts = urlsplit(value)
    inside = value.startswith(rules.prefix) or f"{parts.path}/" == rules.prefix
    return value if inside or not rules.strip_prefix else rules.prefix + value.lstrip("/")
