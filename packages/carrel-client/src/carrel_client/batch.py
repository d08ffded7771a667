"""Starting a server on a machine that a batch system has chosen: `carrel-batch-start COMMAND…`.

It chooses a free port, runs the command with it in `JUPYTERHUB_SERVICE_URL`, and tells the hub, again and
again until the hub has taken it up or the server has ended.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, MutableMapping, Sequence
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LIMIT = 60.0
#: What the hub answers when saying it again would change nothing.
_FINAL = frozenset({400, 401, 403, 404, 405, 409})


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command as a server at a port of its own. Ends with status 2 when it cannot be run."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        _fail("name the command that starts a server: carrel-batch-start carrel-singleuser")
    missing = [name for name in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN") if not os.environ.get(name)]
    if missing:
        _fail(f"{missing[0]} is not set: the hub sets it in the job that it submits")
    if shutil.which(words[0]) is None:
        _fail(f"{words[0]} cannot be run: it is not on the PATH, or not executable")
    port = place(os.environ)
    _tell_beside(port)
    try:
        os.execvp(words[0], words)  # noqa: S606 - that is its purpose
    except OSError as error:
        _fail(f"{words[0]} cannot be run: {error.strerror}")


def place(environ: MutableMapping[str, str]) -> int:
    """Choose a free port and put it into the address at which the server is to listen; return it."""
    parts = urlsplit(environ.get("JUPYTERHUB_SERVICE_URL") or "http://0.0.0.0/")
    host = parts.hostname or "0.0.0.0"  # noqa: S104 - the hub is on another machine
    with socket.create_server(
        (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
    ) as listener:
        port = int(listener.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    environ["JUPYTERHUB_SERVICE_URL"] = urlunsplit(parts._replace(netloc=f"{shown}:{port}"))
    return port


def tell(environ: Mapping[str, str], port: int) -> int:
    """Tell the hub once and return its status; raises OSError when it does not answer."""
    request = urllib.request.Request(  # noqa: S310 - the hub's own address
        f"{environ['JUPYTERHUB_API_URL'].rstrip('/')}/batchspawner",
        data=json.dumps({"port": port}).encode(),
        headers={
            "Authorization": f"token {environ['JUPYTERHUB_API_TOKEN']}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_tls(environ))
    )
    try:
        with opener.open(request, timeout=_LIMIT) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def _tls(environ: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=environ.get("JUPYTERHUB_SSL_CLIENT_CA") or None)
    if environ.get("JUPYTERHUB_SSL_CERTFILE"):
        context.load_cert_chain(environ["JUPYTERHUB_SSL_CERTFILE"], environ.get("JUPYTERHUB_SSL_KEYFILE"))
    return context


def _tell_beside(port: int) -> None:
    """Let a process of its own tell it, which is no child of the server: nobody would wait for its end."""
    server = os.getpid()
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return
    if os.fork():
        os._exit(0)
    try:
        _tell_until_heard(server, port)
    finally:
        os._exit(0)


def _tell_until_heard(server: int, port: int) -> None:
    pause, told = _FIRST_PAUSE, False
    while _lives(server):
        try:
            status = tell(os.environ, port)
            if status < 300:
                return
            problem = f"answered {status}"
            if status in _FINAL:
                _say(f"the hub {problem} to the port: it does not wait for this server")
                return
        except (OSError, ValueError) as error:
            problem = f"does not answer: {error}"
        if not told:
            _say(f"the hub at {os.environ['JUPYTERHUB_API_URL']} {problem}; trying again")
            told = True
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _say(text: str) -> None:
    sys.stderr.write(f"carrel-batch-start: {text}\n")
    sys.stderr.flush()


def _fail(text: str) -> NoReturn:
    _say(text)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
