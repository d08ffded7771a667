"""A server as a client of the hub in a test: what it and its visitors' browsers do."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from carrel.testing.hub import TrialHub
from tests.api.rig import API

AUTHORIZE, TOKEN = f"{API}/oauth2/authorize", f"{API}/oauth2/token"
CLIENT, CALLBACK = "jupyterhub-user-ada", "/user/ada/oauth_callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def wish(**changes: str | None) -> str:
    """Return the address that ada's server sends its visitors to."""
    fields = {"client_id": CLIENT, "redirect_uri": CALLBACK, "response_type": "code", "state": "s+/=é&"}
    merged = fields | changes
    return f"{AUTHORIZE}?{urlencode({key: value for key, value in merged.items() if value is not None})}"


async def get_code(browser: httpx.AsyncClient, **changes: str | None) -> str:
    """Visit, and return the code that comes of it."""
    reply = await browser.get(wish(**changes))
    assert reply.status_code == 302, reply.text
    return parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]


async def exchange(
    hub: TrialHub, client: httpx.AsyncClient, good: str, /, **changes: str | None
) -> httpx.Response:
    """Exchange a code as the server does."""
    fields: dict[str, str | None] = {
        "client_id": CLIENT,
        "client_secret": hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"],
        "grant_type": "authorization_code",
        "code": good,
        "redirect_uri": CALLBACK,
    }
    form = {key: value for key, value in (fields | changes).items() if value is not None}
    return await client.post(TOKEN, data=form)
