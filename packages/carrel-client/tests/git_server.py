"""Repositories behind git's own HTTP server, by default on loopback, and a small index of packages there."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

_IDENTITY = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
}  # fmt: skip


def git(place: Path, *words: str) -> str:
    env = os.environ | _IDENTITY
    return subprocess.run(
        ["git", *words], cwd=place, env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


class GitServer:
    """A directory of repositories, served over HTTP."""

    def __init__(self, root: Path, host: str = "127.0.0.1") -> None:
        self.root = root
        self.asked: list[str] = []
        """What was asked for, method and path."""
        self._http = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"git": self}))
        self._http.daemon_threads = True
        self.url = f"http://{host}:{self._http.server_address[1]}"

    def commit(self, name: str, files: Mapping[str, str], branch: str = "main") -> str:
        """Add or replace files in a repository, which is made when there is none; return the commit."""
        bare, work = self.root / f"{name}.git", self.root / f".{name}"
        if not bare.exists():
            git(self.root, "init", "-q", "--bare", "-b", "main", str(bare))
            git(self.root, "clone", "-q", str(bare), str(work))
        git(work, "checkout", "-q", "-B", branch)
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        git(work, "add", ".")
        git(work, "commit", "-q", "--allow-empty", "-m", "next")
        git(work, "push", "-q", "--force", "origin", branch)
        return git(work, "rev-parse", "HEAD")

    def tag(self, name: str, tag: str) -> None:
        """Tag the last commit, with a tag that is an object of its own."""
        work = self.root / f".{name}"
        git(work, "tag", "-a", "-m", tag, tag)
        git(work, "push", "-q", "origin", tag)

    def repo(self, name: str) -> str:
        """Return the address of a repository."""
        return f"{self.url}/{name}.git"

    def fill_index(self) -> None:
        """Have an index of packages with what the environments of tests are made of."""
        make_wheel(self.root / "wheels", "tinypkg", "1.0", {"tinypkg.py": "WORD = 'tiny'\n"})
        make_wheel(self.root / "wheels", "ipykernel", "1.0", {"ipykernel_launcher.py": "print('kernel')\n"})

    @contextmanager
    def running(self) -> Iterator[GitServer]:
        thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()


def _backend(
    server: GitServer, env: Mapping[str, str], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return what git's own CGI program answers."""
    env = {
        "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(server.root), "GIT_HTTP_EXPORT_ALL": "1",
        "CONTENT_LENGTH": str(len(body)), **env,
    }  # fmt: skip
    done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=False)
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    headers = [
        (name, value) for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))
    ]
    status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
    return status, [(name, value) for name, value in headers if name not in ("", "Status")], rest


class _Handler(BaseHTTPRequestHandler):
    git: ClassVar[GitServer]

    def do_GET(self) -> None:
        self._answer(b"")

    do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"] or 0)))

    def _answer(self, body: bytes) -> None:
        self.git.asked.append(f"{self.command} {self.path}")
        url = urlsplit(self.path)
        if url.path.startswith(("/simple/", "/wheels/")):
            self._send_index(url.path)
        elif url.path.startswith("/private"):
            self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        elif url.path.startswith("/moved"):
            self._send(302, [("Location", self.path.replace("/moved/", "/"))], b"")
        else:
            env = {
                "PATH_INFO": url.path,
                "QUERY_STRING": url.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers["Content-Type"] or "",
                "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
                "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
            }
            self._send(*_backend(self.git, env, body))

    def _send_index(self, path: str) -> None:
        wheels = self.git.root / "wheels"
        if path.startswith("/wheels/"):
            self._send(200, [("Content-Type", "application/zip")], (wheels / Path(path).name).read_bytes())
            return
        found = sorted(wheels.glob(f"{path.split('/')[2].replace('-', '_')}-*.whl"))
        links = "".join(f'<a href="/wheels/{wheel.name}">{wheel.name}</a>' for wheel in found)
        self._send(200 if found else 404, [("Content-Type", "text/html")], links.encode())

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def make_wheel(directory: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a wheel of pure Python with these files."""
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(text.encode())}")
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return wheel
