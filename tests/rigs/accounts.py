"""A system account for tests that become another user or check a password with PAM."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = Path("/usr/bin/python3")
#: A server in the standard library alone: an ordinary account need not be able to read our environment.
SERVER = """
import http.server, os, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        home, user = os.environ["HOME"], os.environ["USER"]
        words = [os.getuid(), os.getgid(), os.getcwd(), home, user, oct(os.umask(0o22))]
        body = " ".join(map(str, words)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
place = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer((place.hostname, place.port), Handler).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    password: str = field(repr=False)


@contextlib.contextmanager
def temporary_account() -> Iterator[Account]:
    """Yield a new system user with a home directory and a password; both are gone at the end. Needs root."""
    account = Account(f"carrel-t{secrets.token_hex(4)}", secrets.token_urlsafe(12))
    _run(["useradd", "--create-home", "--shell", "/bin/bash", account.name])
    try:
        _run(["chpasswd"], text=f"{account.name}:{account.password}\n")
        yield account
    finally:
        _run(["userdel", "--remove", "--force", account.name])


@contextlib.contextmanager
def account_to_come() -> Iterator[str]:
    """Yield a name that no account has; an account that was made by that name is gone at the end."""
    name = f"carrel-t{secrets.token_hex(4)}"
    try:
        yield name
    finally:
        subprocess.run(["userdel", "--remove", "--force", name], check=False, capture_output=True)


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
