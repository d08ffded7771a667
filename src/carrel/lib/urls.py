"""URLs that came from outside: which of them a redirect may follow, and how they are written to a log."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

_SAFE = "/?#[]@!$&'()*+,;=:%~"
_DOTS = {".", ".."}
_SECRET_ARGUMENTS = frozenset(
    {
        "token",
        "code",
        "state",
        "_xsrf",
        "password",
        "access_token",
        "auth_token",
        "client_secret",
        "code_verifier",
        "refresh_token",
        "id_token",
        "id_token_hint",
    }
)
_ARGUMENT = re.compile(r"([^?&=]+)=([^&]*)")
#: An argument of an address that is itself an argument, such as `next`, however often it was escaped.
_INNER = re.compile(
    rf"(%(?:25)*(?:3F|26)(?:{'|'.join(sorted(_SECRET_ARGUMENTS))})%(?:25)*3D)(?:(?!%(?:25)*26)[^&])+",
    re.IGNORECASE,
)
_LONGEST_LOGGED = 200


def safe_next(candidate: str, host: str, base_url: str, domain: str = "") -> str | None:
    """Return `candidate` as a path below `base_url` on our own host, or None when it may lead elsewhere.

    `host` is the request's Host header. Hosts below `domain`, which is `HOST[:PORT]`, are ours too. The
    result starts with exactly one slash and has no scheme, host, backslash, control character or dot segment;
    what is not ASCII is percent-encoded.
    """
    if "\\" in candidate or any(not character.isprintable() for character in candidate):
        return None
    path = _strip_own_host(candidate, host, domain)
    if path is None or not path.startswith("/") or path.startswith("//"):
        return None
    path = quote(path, safe=_SAFE)
    bare = re.split(r"[?#]", path, maxsplit=1)[0]
    if not f"{bare}/".startswith(base_url) and not bare.startswith(base_url):
        return None
    if any(unquote(segment) in _DOTS for segment in bare.split("/")):
        return None
    return path


def _strip_own_host(candidate: str, host: str, domain: str) -> str | None:
    """Return what follows `http(s)://host`; the candidate itself when it names no host."""
    scheme, separator, rest = candidate.partition("://")
    if not separator or "/" in scheme or "?" in scheme:
        return candidate
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    own = bool(host) and authority.lower() == host.lower()
    below = bool(domain) and f".{authority.lower()}".endswith(f".{domain.lower()}") and "@" not in authority
    if scheme.lower() not in {"http", "https"} or not (own or below):
        return None
    return rest[len(authority) :] or "/"


def with_arguments(url: str, **arguments: str) -> str:
    """Return `url` with query arguments set, replacing those of the same names."""
    parts = urlsplit(url)
    kept = [(key, value) for key, value in parse_qsl(parts.query, True) if key not in arguments]
    query = urlencode([*kept, *arguments.items()], safe="/", quote_via=quote)
    return parts._replace(query=query).geturl()


def loggable(url: str) -> str:
    """Return a path and query fit for one line of a log: secrets blanked, escaped, cut to a sane length."""
    cut = url if len(url) <= _LONGEST_LOGGED else f"{url[:_LONGEST_LOGGED]}…"
    path, mark, query = cut.partition("?")
    text = path + mark + _INNER.sub(r"\1[secret]", _ARGUMENT.sub(_blank, query))
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _blank(match: re.Match[str]) -> str:
    return f"{match[1]}=[secret]" if unquote(match[1]).lower() in _SECRET_ARGUMENTS else match[0]


def first_argument(query: str, name: str) -> str:
    """Return the first value of a query argument, or an empty string."""
    return next((value for key, value in parse_qsl(query, True) if key == name), "")
