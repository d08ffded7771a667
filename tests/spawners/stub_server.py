"""A small server that reports what it was started with; it needs nothing but a Python."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class Reporter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        report = {
            "argv": sys.argv[1:],
            "env": dict(os.environ),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "groups": sorted(os.getgroups()),
            "umask": _umask(),
            "cwd": os.getcwd(),
            "pid": os.getpid(),
            "session": os.getsid(0),
            "open": {name: _target(name) for name in os.listdir("/proc/self/fd")},
        }
        body = json.dumps(report).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def main() -> None:
    mode = sys.argv[1]
    if mode == "die":
        print("cannot go on: the reason", file=sys.stderr)
        raise SystemExit(3)
    if mode == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server = HTTPServer((address.hostname or "", address.port or 0), Reporter)
    if mode == "parent" and os.fork() == 0:
        server.socket.close()
        signal.pause()
    if mode == "daemon" and os.fork() == 0:
        server.socket.close()
        os.setsid()
        signal.pause()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        raise SystemExit(0) from None


main()
