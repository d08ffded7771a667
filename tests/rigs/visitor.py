"""HTTP as a browser without JavaScript speaks it: cookies by path, forms with `_xsrf`, redirects if asked."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import IO, Any
from urllib.parse import quote, urlencode, urljoin

REDIRECTS = {301, 302, 303, 307, 308}
#: What every browser says of a visit that no page asked for.
NAVIGATION = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    url: str
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    @property
    def location(self) -> str:
        """Where a redirect leads, made absolute; empty for anything else."""
        target = self.headers.get("Location", "")
        return urljoin(self.url, target) if self.status in REDIRECTS and target else ""

    def json(self) -> Any:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


class _LoopbackConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)


class _LoopbackHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_LoopbackConnection, req)


class Visitor:
    """One browser profile; `base` is the public URL of a hub, with its slash.

    `trust` says whose certificates are believed. With `loopback` every host is this machine.
    """

    def __init__(self, base: str, trust: ssl.SSLContext | None = None, *, loopback: bool = False) -> None:
        self.base = base
        # As browsers: a cookie without a domain is for its host, not for those below it.
        strict = DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)
        self.cookies = CookieJar(strict)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            _LoopbackHandler() if loopback else urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=trust),
            urllib.request.HTTPCookieProcessor(self.cookies),
            _NoRedirect(),
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Reply:
        """Return the reply of whatever status; raises OSError when there is none, or only a part of one."""
        url = urljoin(self.base, path)
        request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return Reply(url, answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(url, error.code, error.headers, error.read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"{url}: {error!r}") from error

    def get(self, path: str, *, token: str = "", timeout: float = 30.0) -> Reply:
        """Return the reply to a visit by the address bar, or with an API token by a program."""
        return self.request("GET", path, headers=authorization(token) or NAVIGATION, timeout=timeout)

    def follow(self, path: str, *, limit: int = 15) -> Reply:
        """Return the first reply that is no redirect; raises AssertionError after `limit` of them."""
        reply = self.get(path)
        for _ in range(limit):
            if not reply.location:
                return reply
            reply = self.get(reply.location)
        raise AssertionError(f"more than {limit} redirects, the last to {reply.location}")

    def post_form(self, path: str, fields: Mapping[str, str], *, timeout: float = 30.0) -> Reply:
        """Return the reply to a form sent as application/x-www-form-urlencoded."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", path, body=urlencode(fields).encode(), headers=headers, timeout=timeout)

    def log_in(self, name: str, password: str, next_url: str = "", *, timeout: float = 30.0) -> Reply:
        """Return the reply to the login form filled in with these; a redirect means that it was accepted."""
        path = "hub/login" + (f"?next={quote(next_url, safe='')}" if next_url else "")
        form = self.get(path)
        fields = {"username": name, "password": password, "_xsrf": self.xsrf_token(form)}
        return self.post_form(path, fields, timeout=timeout)

    def xsrf_token(self, form: Reply) -> str:
        """Return the form's hidden `_xsrf` value, or the hub's cookie of that name."""
        field = re.search(r'<input\b[^>]*\bname="_xsrf"[^>]*>', form.text)
        value = re.search(r'\bvalue="([^"]*)"', field[0]) if field else None
        if value:
            return value[1]
        cookie = self.cookie("_xsrf", "/hub/")
        return (cookie.value or "") if cookie else ""

    def cookie(self, name: str, path: str) -> Cookie | None:
        """Return the cookie with that name and path, if the visitor has one."""
        return next((c for c in self.cookies if c.name == name and c.path == path), None)

    def cookie_header(self, path: str) -> str:
        """Return the Cookie header that a browser would send to `path`."""
        request = urllib.request.Request(urljoin(self.base, path))
        self.cookies.add_cookie_header(request)
        return request.get_header("Cookie") or ""


def authorization(token: str) -> dict[str, str]:
    """Return the header that presents an API token; none for an empty one."""
    return {"Authorization": f"token {token}"} if token else {}
