"""Notes requests under uvicorn: `python -m tests.dataplane.corpus.notes PARSER DESCRIPTOR FILE`."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Literal

import msgspec
import uvicorn

from tests.dataplane.corpus.servers import Noted


class Notes:
    """Answers a request with its decoded path once its body is complete; notes 499 where it is cut off."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        body, status = b"", 200
        while status == 200:
            message = await receive()
            if message["type"] == "http.disconnect":
                status = 499
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["raw_path"].decode("latin-1")
        noted = Noted(scope["method"], path, status, body.decode("latin-1"))
        os.write(self._file, msgspec.json.encode(noted) + b"\n")
        if status != 200:
            return
        decoded = scope["path"].encode()
        head = [(b"x-echo", scope["raw_path"]), (b"content-length", b"%d" % len(decoded))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": decoded})


def main() -> None:
    """Serve on an inherited socket."""
    parser: Literal["h11", "httptools"] = "h11" if sys.argv[1] == "h11" else "httptools"
    config = uvicorn.Config(Notes(sys.argv[3]), http=parser, lifespan="off", log_level="error", ws="none")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])


if __name__ == "__main__":
    main()
