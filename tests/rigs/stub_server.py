"""A stand-in for a notebook server that starts at once: every page says 200, every websocket echoes.

It listens where JUPYTERHUB_SERVICE_URL says, or on the loopback port given as its argument.
"""

from __future__ import annotations

import os
import sys
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

VERSION = "6.1.1"


def answer(connection: ServerConnection, request: Request) -> Response | None:
    """Return a page for anything that does not ask for a websocket."""
    if "upgrade" in request.headers.get("Connection", "").lower():
        return None
    page = connection.respond(HTTPStatus.OK, f"{os.environ.get('JUPYTERHUB_USER', '')} {os.getpid()}\n")
    page.headers["X-JupyterHub-Version"] = VERSION
    return page


def echo(connection: ServerConnection) -> None:
    """Send back every message, until the other side has gone."""
    try:
        for message in connection:
            connection.send(message)
    except ConnectionClosed:
        return


def main() -> None:
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:0/"))
    host, port = address.hostname or "127.0.0.1", address.port or 0
    if len(sys.argv) > 1:
        host, port = "127.0.0.1", int(sys.argv[1])
    with serve(echo, host, port, process_request=answer, ping_interval=None) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
