"""Stands in for services that sign people in by OAuth 2, with PKCE, and have an API that a test brings."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "hub-of-the-college", "only the hub and this service know it"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API says; `None` is no body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


#: The API: given the whole address and the name of whose token it was, an answer or None for 404.
Api = Callable[[str, str], Answer | None]
#: What more comes with an access token: given the user's name and the scopes that were asked for.
Extras = Callable[[str, list[str]], Mapping[str, Any]]


def no_extras(name: str, scopes: list[str]) -> Mapping[str, Any]:
    """Return nothing more."""
    return {}


class OAuthStandIn:
    """A service on a loopback port. Whoever comes is signed in there as `user`, and agrees to everything."""

    def __init__(self, authorize: str, token: str, api: Api, extras: Extras = no_extras) -> None:
        self.user = ""
        self.asked: dict[str, str] = {}
        """The parameters of the last visit to the authorize address."""
        self.api = api
        self.paths = (authorize, token)
        self.extras = extras
        self.requested: list[str] = []
        """Paths that were asked of the API."""
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> OAuthStandIn:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def authorize(self, query: Mapping[str, str]) -> Answer:
        """Return the redirect that hands a visitor back, with a code."""
        self.asked = dict(query)
        code = secrets.token_hex(8)
        self._codes[code] = {**query, "user": self.user}
        back = urlencode({"code": code, "state": query["state"]})
        return Answer(status=302, headers={"Location": f"{query['redirect_uri']}?{back}"})

    def exchange(self, form: Mapping[str, str], basic: str) -> Answer:
        """Return the tokens for a code, once and to who may have them."""
        asked = self._codes.pop(form.get("code", ""), None)
        given = basic or f"{form.get('client_id')}:{form.get('client_secret')}"
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = (
            asked is not None
            and given == f"{CLIENT_ID}:{CLIENT_SECRET}"
            and asked["redirect_uri"] == form["redirect_uri"]
            and asked["client_id"] == CLIENT_ID
            and asked["code_challenge"] == challenge
        )
        if not good or asked is None:
            return Answer({"error": "invalid_grant"}, 400)
        return Answer(self.tokens(asked["user"], asked.get("scope", "").split()))

    def tokens(self, name: str, scopes: list[str]) -> dict[str, Any]:
        """Return what a token endpoint says: a new access token of the user, and what the service adds."""
        return {
            "access_token": self.token_for(name),
            "token_type": "bearer",
            "scope": " ".join(scopes),
            **self.extras(name, scopes),
        }

    def token_for(self, name: str) -> str:
        """Return a new access token of a user."""
        token = secrets.token_hex(8)
        self._tokens[token] = name
        return token

    def ask(self, path: str, authorization: str) -> Answer:
        """Return the API's answer to whoever holds a token."""
        self.requested.append(path)
        if path.startswith("/.well-known/"):
            return self.api(f"{self.url}{path}", "") or Answer(status=404)
        name = self._tokens.get(authorization.rpartition(" ")[2])
        if name is None:
            return Answer({"message": "Bad credentials"}, 401)
        return self.api(f"{self.url}{path}", name) or Answer({"message": "Not Found"}, 404)


def _handler(service: OAuthStandIn) -> type[BaseHTTPRequestHandler]:
    authorize, token = service.paths

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == authorize:
                self._send(service.authorize(_fields(url.query)))
            else:
                self._send(service.ask(self.path, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            kind, _, secret = self.headers.get("Authorization", "").partition(" ")
            basic = base64.b64decode(secret).decode() if kind == "Basic" else ""
            known = urlsplit(self.path).path == token
            self._send(service.exchange(_fields(body), basic) if known else Answer(status=404))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

        def _send(self, answer: Answer) -> None:
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _fields(encoded: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(encoded, keep_blank_values=True).items()}
