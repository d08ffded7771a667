"""A real OpenID provider, and the way of a visitor through its pages."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from urllib.error import URLError
from urllib.parse import urlencode

from tests.rigs.needs import need
from tests.rigs.places import CACHE
from tests.rigs.poll import until
from tests.rigs.systems import free_port
from tests.rigs.visitor import Reply, Visitor

PACKAGE = CACHE / "oidc-provider" / "node_modules" / "oidc-provider" / "lib" / "index.js"
CLIENT_ID, CLIENT_SECRET = "hub", "a secret that only the hub and the provider know"
#: What the provider says of people; anybody else is in no group.
GROUPS = {"ada": ["hub-admins", "staff"], "bob": ["staff"], "eve": ["visitors"]}


class OidcProvider:
    """One provider that sends people back to `redirect_uri`; as a context manager it owns its process."""

    def __init__(self, directory: Path) -> None:
        need(shutil.which("node") and PACKAGE.exists(), "the npm package oidc-provider")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.redirect_uri = ""
        self._log = directory / "oidc-provider.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OidcProvider:
        program = Path(__file__).with_suffix(".mjs")
        command = ["node", str(program), str(PACKAGE), str(self.port), self.redirect_uri]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(self._answers, "the OpenID provider to answer")
        except AssertionError as error:
            self.__exit__(None, None, None)
            raise AssertionError(f"{error}\n{self._log.read_text()}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def end(self, kind: str, token: str) -> None:
        """End an `AccessToken` or a `RefreshToken` as if its time had come."""
        reply = Visitor(self.url).get(f"end?{urlencode({'kind': kind, 'token': token})}")
        assert reply.status == 204, reply.text

    def _answers(self) -> bool:
        try:
            return Visitor(self.url).get(".well-known/openid-configuration", timeout=5).status == 200
        except (OSError, URLError):
            return False


def sign_in(visitor: Visitor, name: str, start: str = "hub/oauth_login") -> str:
    """Return the address at which the provider hands the visitor back to the hub, signed in as `name`.

    They agree to everything on the provider's pages. Nobody has visited the address yet.
    """
    reply = _follow(visitor, start)
    for _ in range(4):
        if "/oauth_callback?" in reply.url:
            return reply.url
        fields = dict(re.findall(r'name="(prompt)" value="(\w+)"', reply.text))
        assert fields, reply.text
        if fields["prompt"] == "login":
            fields |= {"login": name, "password": "any"}
        reply = _follow(visitor, visitor.post_form(reply.url, fields).location)
    raise AssertionError(f"the provider asks on: {reply.text}")


def refuse(visitor: Visitor, start: str = "hub/oauth_login") -> str:
    """Return the address at which the provider hands back a visitor who signs in nowhere."""
    reply = _follow(visitor, start)
    return _follow(visitor, f"{reply.url}/abort").url


def _follow(visitor: Visitor, path: str) -> Reply:
    """Return the first page, or the redirect's end at the hub's callback, unvisited."""
    reply = visitor.get(path)
    while reply.location:
        if "/oauth_callback?" in reply.location:
            return Reply(reply.location, 0, reply.headers, b"")
        reply = visitor.get(reply.location)
    return reply
