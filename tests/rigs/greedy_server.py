"""A server that takes what it can get when it is asked to; it needs nothing but a Python."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


def hog(of: str = "self") -> None:
    """Take memory until somebody ends it, here or in a program of its own."""
    if of == "other":
        subprocess.Popen([sys.executable, "-S", "-c", "x = [bytearray(2**20) for _ in range(2**20)]"])
        return
    threading.Thread(target=lambda: [bytearray(2**20) for _ in range(2**20)], daemon=True).start()


def bomb() -> None:
    """Fork as fast as it goes, in a session of its own and for ever."""
    if os.fork():
        return
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def burn() -> None:
    """Keep more processors busy than there are."""
    for _ in range(4 * (os.cpu_count() or 1)):
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])


WISHES: dict[str, Callable[[], None]] = {
    "hog": hog,
    "hog-in-a-program": lambda: hog("other"),
    "bomb": bomb,
    "burn": burn,
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wish = WISHES.get(urlsplit(self.path).path.rpartition("/")[2])
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
        if wish is not None:
            self.wfile.flush()
            wish()

    def log_message(self, *args: object) -> None:
        return


if __name__ == "__main__":
    place = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    ThreadingHTTPServer((place.hostname or "", place.port or 0), Server).serve_forever()
