"""One web application out of the REST API, the OAuth provider and the pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from carrel.api.routes import ENDPOINTS as API_ENDPOINTS
from carrel.compat.plugin_pages import with_plugin_pages
from carrel.config.tornado import reply_headers
from carrel.core.context import HubContext
from carrel.http.application import HubApplication
from carrel.http.headers import ReplyHeaders
from carrel.http.hosts import HostGuard
from carrel.http.middleware import LOOPBACK, HubMiddleware
from carrel.oauth.routes import ENDPOINTS as OAUTH_ENDPOINTS
from carrel.oauth.routes import WELL_KNOWN
from carrel.proxy.base import Proxy
from carrel.web.render import Renderer
from carrel.web.routes import web_routes

_log = logging.getLogger("carrel.app")
_LOOKUP = 3.0


async def proxy_addresses(proxy: Proxy) -> list[str]:
    """Return the addresses of a data plane that somebody else runs, as its API's host name has them."""
    parts = urlsplit(str(getattr(proxy, "api_url", "")))
    if proxy.of_this_hub or parts.hostname in (None, "localhost"):
        return []
    try:
        async with asyncio.timeout(_LOOKUP):
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, None)
    except (OSError, TimeoutError):
        text = "%s is not known: name the proxy's address in c.JupyterHub.trusted_downstream_ips"
        _log.warning(text, parts.hostname)
        return []
    return sorted({str(entry[4][0]).partition("%")[0] for entry in found})


def build_web_app(ctx: HubContext, proxies: Sequence[str] = ()) -> HubMiddleware:
    """Return the hub's ASGI application; `proxies` are addresses of a data plane on another machine."""
    base_url = ctx.settings.base_url
    below = base_url.rstrip("/")
    endpoints = [(f"{base_url}hub/api", endpoint) for endpoint in (*API_ENDPOINTS, *OAUTH_ENDPOINTS)]
    endpoints += [(below, endpoint) for endpoint in (*WELL_KNOWN, *web_routes())]
    application = HubApplication(ctx, Renderer(ctx.settings), endpoints)
    hosts = ctx.hosts
    pages = with_plugin_pages(ctx, application)
    guarded = HostGuard(pages, hosts) if hosts.subdomains else pages
    return HubMiddleware(
        guarded,
        base_url,
        trusted=(*LOOPBACK, *proxies, *ctx.settings.trusted_downstream_ips),
        host_header=ctx.settings.forwarded_host_header,
        headers=ReplyHeaders(base_url, reply_headers(ctx.settings), hosts.below),
        observe=ctx.metrics.request,
    )
