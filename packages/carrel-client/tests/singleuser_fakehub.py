"""A small hub for the tests: it speaks the wire contract and keeps what it is told."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.rigs.systems import free_port

SERVER_TOKEN = "the-servers-own-token"
CLIENT_ID = "jupyterhub-user-alice"
CALLBACK = "/user/alice/oauth_callback"
ACCESS = ["access:servers!server=alice/", "access:servers!user=alice"]


def model(name: str, scopes: list[str], **more: Any) -> dict[str, Any]:
    """Return a visitor as `GET /user` describes one."""
    common = {"kind": "user", "admin": False, "groups": [], "session_id": None, "token_id": "a1"}
    return {"name": name, "scopes": scopes, **common, **more}


def people() -> dict[str, dict[str, Any]]:
    """Return tokens and who holds them: the owner, a stranger, and one whom the owner shares with."""
    info = {"name": "Alice Liddell", "display_name": "Alice", "initials": "AL", "color": "#336699"}
    return {
        "token-of-alice": model("alice", ["access:servers!user=alice"], user_info=info),
        "token-of-bob": model("bob", ["access:servers!user=bob"]),
        "token-of-carol": model("carol", ["access:servers!server=alice/", "access:servers!user=carol"]),
        "token-of-admin": model("root", ["access:servers"], admin=True),
    }


@dataclass
class FakeHub:
    """Runs on one port; `signed_in` is whose browser comes to the authorize page."""

    public_server: str = ""
    port: int = 0
    signed_in: str = "alice"
    refuse_authorize: bool = False
    failing: bool = False
    tokens: dict[str, dict[str, Any]] = field(default_factory=people)
    activity: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    authorized: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/hub/api", self._version),
                web.get("/hub/api/user", self._user),
                web.get("/hub/api/oauth2/authorize", self._authorize),
                web.post("/hub/api/oauth2/token", self._token),
                web.post("/hub/api/users/alice/activity", self._activity),
                web.get("/hub/logout", self._logout),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port or free_port(), reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening; what the hub knows stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "6.1.1"}, headers={"X-JupyterHub-Version": "6.1.1"})

    async def _user(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("token ")
        self.asked.append(token)
        if self.failing:
            return web.json_response({"message": "broken"}, status=500)
        found = self.tokens.get(token)
        return web.json_response(found or {"message": "Forbidden"}, status=200 if found else 403)

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.authorized.append(query)
        assert query["client_id"] == CLIENT_ID
        assert query["redirect_uri"] == CALLBACK
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        answer = {"state": query["state"]}
        if self.refuse_authorize:
            answer |= {"error": "access_denied", "error_description": "<b>not today</b>"}
        else:
            code = secrets.token_hex(15)
            self._codes[code] = (query["code_challenge"], self.signed_in)
            answer |= {"code": code}
        raise web.HTTPFound(f"{self.public_server}{CALLBACK}?{urlencode(answer)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert request.headers["Authorization"] == f"token {SERVER_TOKEN}"
        challenge, name = self._codes.pop(str(form["code"]), ("", ""))
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        expected = {
            "client_id": CLIENT_ID,
            "client_secret": SERVER_TOKEN,
            "grant_type": "authorization_code",
            "redirect_uri": CALLBACK,
        }
        proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        if not proven or any(form[key] != value for key, value in expected.items()):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = secrets.token_hex(16)
        self.tokens[token] = self.tokens[f"token-of-{name}"]
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 1209600})

    async def _activity(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"token {SERVER_TOKEN}"
        self.activity.append(await request.json())
        return web.Response()

    async def _logout(self, request: web.Request) -> web.Response:
        return web.Response(text="logged out of the hub")
