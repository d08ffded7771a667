"""Who reaches the application: whom the hub lets in, from pages of the application's own."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from carrel_client.auth import pages
from carrel_client.auth.exchange import Request
from carrel_client.auth.gate import HubAuth
from carrel_client.auth.hub import Visitor
from carrel_client.singleuser.environment import HubEnvironment


class ApplicationAuth(HubAuth):
    """Hub auth for an application that has never heard of the hub's XSRF token.

    Its scripts and forms cannot send one. In its place counts where a request comes from: the browser has to
    say that it is a page of ours, by host and by path.
    """

    def __init__(self, environment: HubEnvironment, cookie_secret: bytes) -> None:
        super().__init__(environment, cookie_secret=cookie_secret)
        self._environment = environment

    def _cookie_counts(self, request: Request, token: str) -> bool:
        return super()._cookie_counts(request, token) or is_from_here(request, self.settings.prefix)

    def _no_access(self, visitor: Visitor) -> pages.Page:
        return pages.no_access(visitor.name, self._environment.user, self.settings.hub_url)


def is_from_here(request: Request, prefix: str) -> bool:
    """Tell whether a browser says that a page below `prefix` of this very host has sent a request."""
    headers = request.headers
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    host = headers.get("host", "").lower()
    origin = headers.get("origin")
    if origin is not None and _host(origin) != host:
        return False
    referer = headers.get("referer", "")
    return bool(host) and _host(referer) == host and _is_below(referer, prefix)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _is_below(url: str, prefix: str) -> bool:
    # Browsers have resolved dot segments; a dot that is escaped resolves for them, too.
    path = unquote(urlsplit(url).path)
    return path.startswith(unquote(prefix)) and not {".", ".."} & set(path.split("/"))
