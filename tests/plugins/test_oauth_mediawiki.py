"""MWOAuthenticator: people of a wiki, by OAuth 1."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest

from tests.plugins.oauth import STATE, hub_for
from tests.plugins.visits import start_use_stop, who
from tests.rigs.hub import HubProcess
from tests.rigs.oauth_stand_in import CLIENT_ID, CLIENT_SECRET
from tests.rigs.visitor import Visitor

PLUGIN = "oauthenticator"
BACK_END = "a stand-in with the shape of MediaWiki's Special:OAuth"
NOTES = (
    "The plug-in keeps the case of names, so that Ada and ada are two people.",
    "It remembers no next=: people arrive where the hub sends everybody.",
)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


class Wiki(BaseHTTPRequestHandler):
    """Special:OAuth for whoever is signed in at the wiki as `user`; the hub is where `hub` says."""

    user, hub = "", ""
    tokens: dict[str, str]
    """Verifiers by request token, and names by access token."""

    def do_GET(self) -> None:
        token = parse_qs(urlsplit(self.path).query)["oauth_token"][0]
        self.tokens[token] = secrets.token_hex(4)
        back = urlencode({"oauth_token": token, "oauth_verifier": self.tokens[token]})
        self.send_response(302)
        self.send_header("Location", f"{self.hub}hub/oauth_callback?{back}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        signed = dict(re.findall(r'(oauth_\w+)="([^"]*)"', self.headers["Authorization"]))
        assert signed["oauth_consumer_key"] == CLIENT_ID
        step = self.path.rpartition("/")[2].rpartition("%2F")[2]
        token = secrets.token_hex(8)
        if step == "token":
            assert signed["oauth_verifier"] == self.tokens.pop(signed["oauth_token"])
            self.tokens[token] = self.user
        body = urlencode({"oauth_token": token, "oauth_token_secret": "shared"})
        if step == "identify":
            claims = {
                "iss": f"http://{self.headers['Host']}",
                "aud": CLIENT_ID,
                "iat": int(time.time()),
                "nonce": signed["oauth_nonce"],
                "username": self.tokens[signed["oauth_token"]],
            }
            body = jwt.encode(claims, CLIENT_SECRET, "HS256")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def wiki() -> Iterator[str]:
    """The address of the wiki's index.php."""
    Wiki.tokens = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Wiki)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/w/index.php"
    server.shutdown()
    server.server_close()


def arrive(hub: HubProcess, user: str) -> Visitor:
    """Return a visitor who has been at the wiki, signed in there as `user`, and is back."""
    Wiki.user, Wiki.hub = user, hub.public_url
    visitor = hub.visitor()
    reply = visitor.get("hub/oauth_login")
    while reply.location and "/hub/home" not in reply.location and "/hub/spawn" not in reply.location:
        reply = visitor.get(reply.location)
    return visitor


def test_people_of_the_wiki(wiki: str, tmp_path: Path) -> None:
    """A name with a space comes in as one with an underscore, and a server is used; others stay out."""
    config = f"""
{STATE}
c.MWOAuthenticator.mw_index_url = {wiki!r}
c.Authenticator.allowed_users = {{'Ada_Example'}}
"""
    with hub_for(tmp_path, "mediawiki", config) as hub:
        assert who(arrive(hub, "Mallory")) == ""
        ada = arrive(hub, "Ada Example")
        assert who(ada) == "Ada_Example"
        start_use_stop(hub, ada, "Ada_Example")
