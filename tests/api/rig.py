"""The hub's web application without a server in front: requests go straight into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from carrel.testing.hub import TrialHub

HOST = "http://hub.test"
API = "/hub/api"


def client_of(app: Any, token: str | None = None, **options: Any) -> httpx.AsyncClient:
    """Return a client that carries a token, or none."""
    headers = {} if token is None else {"Authorization": f"token {token}"}
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers, **options)


@asynccontextmanager
async def statements(hub: TrialHub) -> AsyncIterator[list[str]]:
    """Yield the queries that the hub sends to its database while the block runs."""
    seen: list[str] = []
    async with hub.store.read() as tx:
        connection = tx._link._connection  # type: ignore[attr-defined]
    connection.set_trace_callback(lambda text: seen.append(text) if text.startswith("SELECT") else None)
    try:
        yield seen
    finally:
        connection.set_trace_callback(None)
