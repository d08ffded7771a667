"""A request and an answer as the rules see them, whichever web framework brings and takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import cached_property
from http.cookies import Morsel
from urllib.parse import parse_qs, quote, urlsplit

_AUTHORIZATION = re.compile(r"(?:token|bearer)(?:\s+(.*))?", re.IGNORECASE)
_URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
XSRF_NAME = "_xsrf"


@dataclass(frozen=True)
class Request:
    """What a browser or program sent."""

    method: str
    uri: str
    """Path and query as they came; the path is the one the proxy sees, with the service's prefix."""
    headers: Mapping[str, str]
    """Names in lower case; several Cookie headers joined by `; `."""
    scheme: str = "http"
    """How the last proxy spoke with us."""
    websocket: bool = False
    form_xsrf: str = ""
    """The form's `_xsrf` field, where the body has been read."""

    @cached_property
    def path(self) -> str:
        """Return the path, still escaped."""
        return urlsplit(self.uri).path if self.uri.startswith("/") else self.uri.partition("?")[0]

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """Return the cookies; of two with one name the first, which has the longer path."""
        found: dict[str, str] = {}
        for part in self.headers.get("cookie", "").split(";"):
            name, separator, value = part.partition("=")
            if separator:
                found.setdefault(name.strip(), value.strip().strip('"'))
        return found

    @cached_property
    def _query(self) -> Mapping[str, list[str]]:
        return parse_qs(self.uri.partition("?")[2].partition("#")[0], keep_blank_values=True)

    def argument(self, name: str) -> str:
        """Return the last value of a query argument, '' without one."""
        return self._query.get(name, [""])[-1]

    @property
    def authorization(self) -> str | None:
        """Return the token of the Authorization header; None without one, as when it is for a proxy."""
        match = _AUTHORIZATION.fullmatch(self.headers.get("authorization", ""))
        return (match[1] or "").strip() if match else None

    @property
    def is_safe(self) -> bool:
        """Return whether the method promises to change nothing."""
        return self.method in SAFE_METHODS

    @property
    def is_https(self) -> bool:
        """Return whether the browser speaks TLS, with us or with a proxy before us."""
        # Through several proxies the header is a list; the browser's own protocol is its first item.
        browser = self.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
        return (browser or self.scheme) in {"https", "wss"}

    @property
    def is_page(self) -> bool:
        """Return whether a person waits for a page, so that a redirect to a log-in would be seen."""
        if self.websocket or self.method not in {"GET", "HEAD"}:
            return False
        mode = self.headers.get("sec-fetch-mode")
        if mode is not None:
            return mode == "navigate"
        asks_for_data = "json" in self.headers.get("accept", "") or "x-requested-with" in self.headers
        return not asks_for_data


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set; `max_age` and `expires` in seconds, the latter since 1970."""

    name: str
    value: str
    path: str
    domain: str | None = None
    max_age: int | None = None
    expires: float | None = None
    secure: bool = False
    httponly: bool = True
    samesite: str | None = None

    def header(self) -> str:
        """Return the value of its Set-Cookie header."""
        morsel: Morsel[str] = Morsel()
        morsel.set(self.name, self.value, self.value)
        attributes = {"path": self.path, "domain": self.domain, "samesite": self.samesite}
        morsel.update({key: value for key, value in attributes.items() if value})
        if self.max_age is not None:
            morsel["max-age"] = str(self.max_age)
        if self.expires is not None:
            morsel["expires"] = formatdate(self.expires, usegmt=True)
        morsel["secure"], morsel["httponly"] = self.secure, self.httponly
        return morsel.OutputString()

    def cleared(self) -> Cookie:
        """Return the cookie that makes a browser forget this one."""
        # Zeros are left out by Tornado.
        return replace(self, value="", max_age=None, expires=1.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    body: str = ""
    kind: str = "text/html; charset=utf-8"
    location: str = ""
    cookies: tuple[Cookie, ...] = ()

    def with_cookies(self, *cookies: Cookie) -> Answer:
        """Return this answer with more cookies."""
        return replace(self, cookies=(*self.cookies, *cookies))

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that go with it, without the cookies."""
        found = [
            ("Content-Type", self.kind),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "frame-ancestors 'none'"),
        ]
        return [*found, ("Location", self.location)] if self.location else found


def redirect(location: str, *cookies: Cookie) -> Answer:
    """Return the answer that sends a browser elsewhere; `location` must be safe already."""
    return Answer(302, location=quote(location, safe=_URL_CHARACTERS), cookies=cookies)


def refusal(status: int, message: str) -> Answer:
    """Return the answer that tells a program why not, in the shape of the hub's own errors."""
    return Answer(status, json.dumps({"status": status, "message": message}), "application/json")


def form_xsrf(body: bytes) -> str:
    """Return the `_xsrf` field of a form sent as application/x-www-form-urlencoded, '' without one."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=1000)
    except ValueError:
        return ""
    return fields.get(XSRF_NAME, [""])[0]
