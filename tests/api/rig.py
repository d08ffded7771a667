"""The hub's endpoints without a server in front: requests go straight into the application."""

from __future__ import annotations

from typing import Any

import httpx
from litestar import Litestar, Router
from litestar.datastructures import State

from carrel.api.routes import ENDPOINTS as API_ENDPOINTS
from carrel.http.errors import error_handlers
from carrel.http.identify import caller_dependencies
from carrel.http.middleware import HubMiddleware
from carrel.oauth.routes import ENDPOINTS as OAUTH_ENDPOINTS
from carrel.testing.hub import TrialHub

HOST = "http://hub.test"
API = "/hub/api"


def build_api(hub: TrialHub, pages: object = None) -> HubMiddleware:
    """Return the REST API and the OAuth provider as an application, with `pages` as its renderer."""
    base_url = hub.settings.base_url
    app = Litestar(
        [Router(f"{base_url}hub/api", route_handlers=[*API_ENDPOINTS, *OAUTH_ENDPOINTS])],
        dependencies=caller_dependencies(),
        exception_handlers=error_handlers(),
        state=State({"hub": hub.ctx, "pages": pages}),
        logging_config=None,
        openapi_config=None,
    )
    return HubMiddleware(app, base_url)


def client_of(app: Any, token: str | None = None, **options: Any) -> httpx.AsyncClient:
    """Return a client that carries a token, or none."""
    headers = {} if token is None else {"Authorization": f"token {token}"}
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers, **options)
