"""One web application out of the REST API, the OAuth provider and the pages."""

from __future__ import annotations

from carrel.api.routes import ENDPOINTS as API_ENDPOINTS
from carrel.compat.plugin_pages import with_plugin_pages
from carrel.core.context import HubContext
from carrel.http.application import HubApplication
from carrel.http.middleware import HubMiddleware
from carrel.oauth.routes import ENDPOINTS as OAUTH_ENDPOINTS
from carrel.oauth.routes import WELL_KNOWN
from carrel.web.render import Renderer
from carrel.web.routes import web_routes


def build_web_app(ctx: HubContext) -> HubMiddleware:
    """Return the hub's ASGI application."""
    base_url = ctx.settings.base_url
    below = base_url.rstrip("/")
    endpoints = [(f"{base_url}hub/api", endpoint) for endpoint in (*API_ENDPOINTS, *OAUTH_ENDPOINTS)]
    endpoints += [(below, endpoint) for endpoint in (*WELL_KNOWN, *web_routes())]
    application = HubApplication(ctx, Renderer(ctx.settings), endpoints)
    return HubMiddleware(with_plugin_pages(ctx, application), base_url, observe=ctx.metrics.request)
