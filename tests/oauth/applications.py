"""Another application in a test: its entry in the configuration, and what it and its users' browsers do."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.api.rig import API

AUTHORIZE, TOKEN, REVOKE = (f"{API}/oauth2/{name}" for name in ("authorize", "token", "revoke"))
PUBLIC_URL = "https://hub.test/"
ISSUER = "https://hub.test/hub"
SECRET = "wiki's secret, 32 characters long"
CALLBACK = "https://wiki.example/callback?from=hub"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

#: One that keeps a secret, one that cannot, and one that its users are not asked for.
WIKI: dict[str, Any] = {
    "client_id": "wiki",
    "client_secret": SECRET,
    "redirect_uris": [CALLBACK, "https://wiki.example/other"],
    "name": "The wiki",
    "allowed_scopes": ["read:servers!user", "offline_access"],
}
PHONE: dict[str, Any] = {
    "client_id": "phone",
    "public": True,
    "redirect_uris": ["http://127.0.0.1:7777/callback"],
}
DOCS: dict[str, Any] = {
    "client_id": "docs",
    "client_secret": SECRET[::-1],
    "redirect_uris": ["https://docs.example/callback"],
    "confirm": False,
}


def wish(**changes: str | None) -> str:
    """Return the address that the wiki sends its users to."""
    fields: dict[str, str | None] = {
        "client_id": "wiki",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile",
        "state": "s1",
    }
    merged = fields | changes
    return f"{AUTHORIZE}?{urlencode({key: value for key, value in merged.items() if value is not None})}"


def answer_of(reply: httpx.Response) -> dict[str, str]:
    """Return what a redirect tells a client."""
    assert reply.status_code == 302, reply.text
    return {key: values[0] for key, values in parse_qs(urlsplit(reply.headers["location"]).query).items()}


def form_of(page: httpx.Response) -> dict[str, Any]:
    """Return the fields of the form that asks."""
    assert page.status_code == 200, page.headers
    found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert found is not None
    return {"_xsrf": found[1], "scopes": re.findall(r'name="scopes" value="([^"]+)"', page.text)}


async def agree(browser: httpx.AsyncClient, url: str) -> dict[str, str]:
    """Visit, agree to all that is asked where it is asked, and return what the client is told."""
    reply = await browser.get(url)
    if reply.status_code == 200:
        reply = await browser.post(url, data=form_of(reply))
    return answer_of(reply)


async def exchange(client: httpx.AsyncClient, code: str, **changes: str | None) -> httpx.Response:
    """Exchange a code as the wiki does."""
    fields: dict[str, str | None] = {
        "client_id": "wiki",
        "client_secret": SECRET,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
    }
    form = {key: value for key, value in (fields | changes).items() if value is not None}
    return await client.post(TOKEN, data=form)


async def come_back(client: httpx.AsyncClient, secret: str, **changes: str) -> httpx.Response:
    """Exchange a refresh token as the wiki does."""
    fields = {
        "client_id": "wiki",
        "client_secret": SECRET,
        "grant_type": "refresh_token",
        "refresh_token": secret,
    }
    return await client.post(TOKEN, data=fields | changes)
