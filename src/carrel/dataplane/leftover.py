"""What a server said before it reset the connection, when the reset was noticed first by writing to it."""

from __future__ import annotations

import asyncio
import os

_MOST = 256 * 1024


def read_leftover(transport: asyncio.Transport) -> bytes:
    """Return what has arrived at a plain connection and was not read; call it in `connection_lost`.

    A server that answers early and closes without reading on resets the connection. When the proxy writes
    next, the write fails and the event loop gives the connection up, with the answer still in the socket.
    """
    connection = transport.get_extra_info("socket")
    if connection is None or transport.get_extra_info("ssl_object") is not None:
        return b""
    try:
        return os.read(connection.fileno(), _MOST)
    except OSError:
        return b""
