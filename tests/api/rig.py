"""The hub's web application without a server in front: requests go straight into it."""

from __future__ import annotations

from typing import Any

import httpx

HOST = "http://hub.test"
API = "/hub/api"


def client_of(app: Any, token: str | None = None, **options: Any) -> httpx.AsyncClient:
    """Return a client that carries a token, or none."""
    headers = {} if token is None else {"Authorization": f"token {token}"}
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers, **options)
