"""What is answered when nothing behind can: the hub's page, a small built-in one, or JSON for programs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Hashable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import msgspec

from carrel.dataplane.fetch import FetchError, Page, fetch
from carrel.dataplane.headers import reason_of
from carrel.dataplane.page_cache import PageCache
from carrel.dataplane.paths import escaped
from carrel.dataplane.replies import Reply
from carrel.dataplane.request import Request
from carrel.dataplane.targets import Target

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{refresh}
<title>{title}</title><style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;
padding:0 1rem;color-scheme:light dark}}</style></head><body><main><h1>{title}</h1><p>{message}</p></main>
</body></html>
"""
_PAGE_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request is not answered by a server; `retry_after` seconds, 0 when waiting does not help."""

    status: int
    title: str
    message: str
    retry_after: int = 0


NO_ROUTE = Failure(404, "Not found", "Nothing is served at this address.")
HUB_DOWN = Failure(503, "One moment", "The hub is restarting and will be back in a moment.", retry_after=1)
SERVER_DOWN = Failure(
    503,
    "Server not reachable",
    "The server behind this address is not reachable; it may be starting or may have stopped.",
    retry_after=5,
)
BAD_ANSWER = Failure(502, "Bad answer", "The server behind this address gave no usable answer.")


def refusal(status: int, message: str) -> Failure:
    """Return the failure of a request that is refused for its form."""
    return Failure(status, reason_of(status).decode(), f"The request was refused: {message}.")


class ErrorPages:
    """Chooses and makes the answer to a failure."""

    def __init__(
        self,
        target: Target | None,
        directory: Path | None = None,
        fetch_seconds: float = 3.0,
        keep_seconds: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._target = target
        self._directory = directory
        #: For a hub that speaks TLS.
        self.tls = tls
        self._fetch_seconds = fetch_seconds
        self._shared = keep_seconds > 0
        self._cache = PageCache(keep_seconds)

    def at_once(self, request: Request, failure: Failure) -> Reply | None:
        """Return the answer, or None when the hub is asked for its page first, with `fetched`.

        It is never asked for an upgrade, a program or a hub that is down.
        """
        if not self._asks_hub(request, failure):
            return self.own(request, failure)
        key = self._key(request, failure)
        kept = self._cache.find(key)
        if kept is not None:
            return self._shown(kept.page, request, failure)
        return None if self._cache.may_load(key) else self.own(request, failure)

    async def fetched(self, request: Request, failure: Failure) -> Reply:
        """Return the hub's page with this failure's status, or the built-in one when none comes in time."""
        read = functools.partial(self._fetch, failure.status, self._url(request))
        page = await self._cache.load(self._key(request, failure), read)
        return self._shown(page, request, failure)

    def _asks_hub(self, request: Request, failure: Failure) -> bool:
        if self._target is None or failure.status not in (404, 502, 503) or not wants_html(request):
            return False
        return request.route is None or self._target.address not in request.route.target.addresses

    def _key(self, request: Request, failure: Failure) -> Hashable:
        """Return what a page is kept under; a route that leads elsewhere or was set anew does not find it."""
        if not self._shared:
            return request
        return request.route, request.route and request.route.target, failure.status

    def _url(self, request: Request) -> str | bytes:
        """Return what the hub is told: of a page that many see, nothing that only one of them has asked."""
        if not self._shared:
            return request.original or request.target
        segments = request.route.segments if request.route else ()
        return f"{escaped(segments).rstrip('/')}/"

    async def _fetch(self, status: int, url: str | bytes) -> Page | None:
        if self._target is None:
            return None
        try:
            async with asyncio.timeout(self._fetch_seconds):
                return await fetch(self._target, f"/{status}?url={quote(url, safe='')}", self.tls)
        except (OSError, TimeoutError, FetchError, UnicodeError):
            return None

    def _shown(self, page: Page | None, request: Request, failure: Failure) -> Reply:
        if page is None:
            return self.own(request, failure)
        return Reply(failure.status, page.body, page.content_type, _retry(failure) + page.encoding)

    def own(self, request: Request, failure: Failure) -> Reply:
        """Return the answer that needs nobody: the deployer's page for a browser, or the built-in one."""
        page = self._static(failure.status) if wants_html(request) else None
        if page is None:
            return builtin(request, failure)
        return Reply(failure.status, page, "text/html; charset=utf-8", _retry(failure))

    def _static(self, status: int) -> bytes | None:
        """Return the file STATUS.html, else error.html: read each time, so that it may be changed."""
        if self._directory is None:
            return None
        for name in (f"{status}.html", "error.html"):
            with contextlib.suppress(OSError):
                return (self._directory / name).read_bytes()
        return None


def builtin(request: Request, failure: Failure) -> Reply:
    """Return the answer that needs nobody: empty for an upgrade, a page for a browser, JSON for the rest."""
    if request.wants_upgrade:
        return Reply(failure.status, headers=_retry(failure))
    if not wants_html(request):
        body = msgspec.json.encode({"status": failure.status, "message": failure.message})
        return Reply(failure.status, body, "application/json", _retry(failure))
    refresh = '<meta http-equiv="refresh" content="2">' if failure.retry_after else ""
    page = _PAGE.format(title=escape(failure.title), message=escape(failure.message), refresh=refresh)
    return Reply(failure.status, page.encode(), "text/html; charset=utf-8", _retry(failure) + _PAGE_HEADERS)


def wants_html(request: Request) -> bool:
    """Tell whether a person looks at the answer."""
    if request.wants_upgrade or b"/api/" in request.path:
        return False
    return b"text/html" in request.header(b"accept")


def _retry(failure: Failure) -> tuple[tuple[str, str], ...]:
    return (("Retry-After", str(failure.retry_after)),) if failure.retry_after else ()
