"""One web application out of the REST API, the OAuth provider and the pages."""

from __future__ import annotations

from litestar import Litestar, Router
from litestar.datastructures import State

from carrel.api.routes import ENDPOINTS as API_ENDPOINTS
from carrel.core.context import HubContext
from carrel.http.errors import error_handlers
from carrel.http.identify import caller_dependencies
from carrel.http.middleware import HubMiddleware
from carrel.oauth.routes import ENDPOINTS as OAUTH_ENDPOINTS
from carrel.web.render import Renderer
from carrel.web.routes import web_routes


def build_web_app(ctx: HubContext) -> HubMiddleware:
    """Return the hub's ASGI application."""
    base_url = ctx.settings.base_url
    api = Router(f"{base_url}hub/api", route_handlers=[*API_ENDPOINTS, *OAUTH_ENDPOINTS])
    pages = Router(base_url, route_handlers=web_routes())
    app = Litestar(
        [api, pages],
        dependencies=caller_dependencies(),
        exception_handlers=error_handlers(),
        state=State({"hub": ctx, "pages": Renderer(ctx.settings)}),
        logging_config=None,
        openapi_config=None,
    )
    return HubMiddleware(app, base_url)
