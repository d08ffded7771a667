"""A server that fails for real, in the way that its argument names."""

from __future__ import annotations

import ctypes
import json
import locale
import os
import resource
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

NOBODY = 65534
ADDRESS = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:0/"))
HOST, PORT = ADDRESS.hostname or "127.0.0.1", ADDRESS.port or 0


class Answer(BaseHTTPRequestHandler):
    """Answers everything with one status, and `/api` as Jupyter does when that is told."""

    status = 200
    jupyter = False
    after: Callable[[], None] | None = None

    def do_GET(self) -> None:
        known = self.jupyter and self.path == "/api"
        body = json.dumps({"version": "2.0"} if known else {}).encode()
        self.send_response(200 if known else self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.after:
            threading.Timer(1.0, self.after).start()

    def log_message(self, *args: object) -> None:
        return


def serve(port: int = PORT, **how: object) -> None:
    kind = type("Kind", (Answer,), how)
    with HTTPServer((HOST, port), kind) as server:
        server.serve_forever()


def as_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def missing_module() -> None:
    import no_such_package  # type: ignore[import-not-found]  # noqa: F401


def mismatched_module() -> None:
    from json import no_such_name  # type: ignore[attr-defined]  # noqa: F401


def port_taken() -> None:
    with socket.create_server((HOST, PORT)), socket.create_server((HOST, PORT)):
        return


def other_address() -> None:
    with socket.create_server(("203.0.113.7", PORT)):
        return


def no_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
    bytearray(1 << 34)


def no_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    kept = [socket.socket() for _ in range(64)]
    print(len(kept))


def no_threads() -> None:
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    as_nobody()
    for _ in range(64):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


def processor_time() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
    while True:
        pass


def large_file() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    Path("large").write_bytes(b"x" * 20)


def disk_full() -> None:
    Path("/dev/full").write_text("x")


def not_permitted() -> None:
    place = Path("private")
    place.mkdir(mode=0o700, exist_ok=True)
    (place / "runtime").touch()
    if os.geteuid() == 0:
        as_nobody()
    else:
        place.chmod(0)
    (place.absolute() / "runtime").read_text()


def damaged_database() -> None:
    with sqlite3.connect("nbsignatures.db") as database:
        database.execute("create table signatures (text)")
        database.executemany("insert into signatures values (?)", [("x" * 900,)] * 100)
    whole = Path("nbsignatures.db").read_bytes()
    Path("nbsignatures.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    sqlite3.connect("nbsignatures.db").execute("select * from signatures").fetchall()


def no_database() -> None:
    Path("nbsignatures.db").write_bytes(b"no database at all" * 1000)
    sqlite3.connect("nbsignatures.db").execute("select 1 from sqlite_master")


def locked_database() -> None:
    first = sqlite3.connect("nbsignatures.db", isolation_level=None)
    first.execute("begin exclusive")
    sqlite3.connect("nbsignatures.db", timeout=0).execute("create table signatures (text)")


def unknown_locale() -> None:
    locale.setlocale(locale.LC_ALL, "xx_XX.UTF-8")


def unknown_account() -> None:
    import pwd

    pwd.getpwnam("nobody-at-all")


def not_root() -> None:
    as_nobody()
    os.setuid(0)


def crash() -> None:
    ctypes.string_at(0)


def end_by(number: int) -> Callable[[], None]:
    def end() -> None:
        os.kill(os.getpid(), number)

    return end


def garbage() -> None:
    with socket.create_server((HOST, PORT)) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"\x15\x03\x01\x00\x02\x02\x50")


def wait() -> None:
    time.sleep(600)


def leave() -> None:
    print("Have a nice day")
    raise SystemExit(17)


def tell_secrets() -> None:
    print(f"JUPYTERHUB_API_TOKEN={os.environ['JUPYTERHUB_API_TOKEN']}")
    print("the token is", os.environ["JUPYTERHUB_API_TOKEN"])
    print({"Authorization": "Bearer aaaabbbbccccdddd"})
    print("\x1b[31mred\x1b[0m \x07")
    raise SystemExit(18)


FAULTS: dict[str, Callable[[], None]] = {
    **{
        fault.__name__: fault
        for fault in (
            *(missing_module, mismatched_module, port_taken, other_address, no_memory, no_files, no_threads),
            *(processor_time, large_file, disk_full, not_permitted, damaged_database, no_database),
            *(locked_database, unknown_locale, unknown_account, not_root, crash, garbage, wait, leave),
            tell_secrets,
        )
    },
    "killed": end_by(signal.SIGKILL),
    "terminated": end_by(signal.SIGTERM),
    "bus": end_by(signal.SIGBUS),
    "illegal": end_by(signal.SIGILL),
    "aborted": end_by(signal.SIGABRT),
    "errors": lambda: serve(status=503),
    "elsewhere": lambda: serve(status=404, jupyter=True),
    "other_port": lambda: serve(port=0),
    "killed_later": lambda: serve(after=staticmethod(end_by(signal.SIGKILL))),
    "left_later": lambda: serve(after=staticmethod(lambda: os._exit(0))),
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
