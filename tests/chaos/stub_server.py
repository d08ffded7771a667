"""A notebook server's stand-in for crowds: ready in 50 ms, small, and it keeps a diary.

Every page says 200, every websocket echoes. Each start and each clean end is a line in the diary that
CHAOS_DIARY names: `start|stop USER GENERATION PID LAUNCHED NOW`, in seconds since the machine was started.
Run it with `python -S -I`: it needs nothing but the standard library.
"""

import base64
import hashlib
import os
import signal
import socketserver
import threading
import time
from urllib.parse import urlsplit

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Visitor(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while self._request():
                pass
        except OSError:
            return

    def _request(self) -> bool:
        first = self.rfile.readline()
        headers = {}
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        if not first or not line:
            return False
        if b"sec-websocket-key" in headers:
            self._echo(headers[b"sec-websocket-key"])
            return False
        body = f"{os.environ['CARREL_SERVER_ID']} {os.environ['CARREL_GENERATION']} {os.getpid()}\n".encode()
        head = f"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)
        return True

    def _echo(self, key: bytes) -> None:
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        self.wfile.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        while True:
            head = self.rfile.read(2)
            # Short masked text is all that the visitors of a storm send.
            if len(head) < 2 or head[0] & 0x0F != 1 or not 0 < head[1] & 0x7F < 126:
                return
            mask = self.rfile.read(4)
            masked = self.rfile.read(head[1] & 0x7F)
            text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
            self.wfile.write(bytes([head[0], len(text)]) + text)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def launched() -> float:
    """Return when this process was started: the kernel counts in ticks of ten milliseconds."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def note(what: str) -> None:
    """Add a line to the diary; one write, so that lines of many servers do not mix."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    run = f"{os.environ['JUPYTERHUB_USER']} {os.environ['CARREL_GENERATION']} {os.getpid()}"
    descriptor = os.open(os.environ["CHAOS_DIARY"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{what} {run} {launched():.2f} {now:.6f}\n".encode())
    os.close(descriptor)


def main() -> None:
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server = Server((address.hostname or "127.0.0.1", address.port or 0), Visitor)

    def end(number: int, frame: object) -> None:
        note("stop")
        os._exit(0)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    note("start")
    threading.stack_size(128 * 1024)
    server.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
