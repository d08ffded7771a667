"""The hub's HTTP server on its own socket, without signal handlers of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

#: How long answers under way may take when the hub stops, in seconds.
_DRAIN = 3
_MAX_HEADER_BYTES = 64 * 1024


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The hub decides what its signals mean."""
        yield


@asynccontextmanager
async def serve_http(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Answer requests on `listener` while the block runs; then let those under way finish."""
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN,
        backlog=2048,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="HTTP server")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0)
        yield
    finally:
        server.should_exit = True
        await task
