"""Other applications sign their users in with Carrel's accounts, by a client library that others wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel
from tests.rigs.visitor import Visitor

pytestmark = pytest.mark.real

SECRET, PUBLIC = "0123456789abcdef" * 4, "phone"
CALLBACK = "http://127.0.0.1:1/callback"
VERIFIER = "v" * 64


def _config(public_url: str) -> str:
    clients = [
        {
            "client_id": "wiki",
            "client_secret": SECRET,
            "redirect_uris": [CALLBACK],
            "name": "The wiki",
            "allowed_scopes": ["offline_access"],
        },
        {"client_id": PUBLIC, "public": True, "redirect_uris": [CALLBACK]},
    ]
    return (
        f"c.JupyterHub.oauth_clients = {clients!r}\nc.JupyterHub.public_url = {public_url!r}\n"
        "c.JupyterHub.log_level = 'DEBUG'\n"
    )


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with two applications, up."""
    directory = tmp_path_factory.mktemp("provider")
    running = HubProcess(carrel(), directory, "")
    running._config = class_config(directory, STUB) + _config(running.public_url)
    with running:
        yield running


def _application(client_id: str, method: str, scope: str) -> OAuth2Session:
    return OAuth2Session(
        client_id,
        None if client_id == PUBLIC else SECRET,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope=scope,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )


def _agree(visitor: Visitor, url: str) -> str:
    """Visit, sign in if that is asked, agree, and return where that leads."""
    reply = visitor.get(url)
    if "/hub/login" in reply.location:
        form = visitor.get(reply.location)
        fields = {"username": "ada", "password": PASSWORD, "_xsrf": visitor.xsrf_token(form)}
        reply = visitor.post_form(reply.location, fields)
        reply = visitor.get(reply.location)
    assert "Authorize access" in reply.text, reply.status
    scopes = re.findall(r'name="scopes" value="([^"]+)"', reply.text)
    body = "&".join([f"_xsrf={visitor.xsrf_token(reply)}", *(f"scopes={scope}" for scope in scopes)])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return visitor.request("POST", url, body=body.encode(), headers=headers).location


@pytest.mark.parametrize(
    ("client_id", "method"),
    [("wiki", "client_secret_basic"), ("wiki", "client_secret_post"), (PUBLIC, "none")],
)
def test_an_application_signs_its_users_in(hub: HubProcess, client_id: str, method: str) -> None:
    with _application(client_id, method, "openid profile groups") as app:
        issuer = f"{hub.public_url}hub"
        found: dict[str, Any] = app.get(
            f"{issuer}/.well-known/openid-configuration", withhold_token=True
        ).json()
        assert found["issuer"] == issuer
        url, state = app.create_authorization_url(
            found["authorization_endpoint"], code_verifier=VERIFIER, nonce="n0nce"
        )
        back = _agree(hub.visitor(), url)
        assert back.startswith(f"{CALLBACK}?code=")
        token = app.fetch_token(
            found["token_endpoint"], authorization_response=back, state=state, code_verifier=VERIFIER
        )
        keys = KeySet.import_key_set(app.get(found["jwks_uri"], withhold_token=True).json())
        claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            nonce={"essential": True, "value": "n0nce"},
            preferred_username={"essential": True, "value": "ada"},
        ).validate(claims)
        user_info = app.get(found["userinfo_endpoint"]).json()
        assert (user_info["sub"], user_info["groups"]) == (claims["sub"], [])
        renewed = app.refresh_token(found["token_endpoint"])
        assert renewed["access_token"] != token["access_token"]
        assert app.get(found["userinfo_endpoint"]).status_code == 200
        reply = app.revoke_token(found["revocation_endpoint"], renewed["refresh_token"], "refresh_token")
        assert reply.status_code == 200
        assert app.get(found["userinfo_endpoint"]).status_code == 401


def test_the_log_holds_no_secret(hub: HubProcess) -> None:
    with _application("wiki", "client_secret_post", "openid offline_access") as app:
        endpoints = f"{hub.public_url}hub/api/oauth2"
        url, state = app.create_authorization_url(f"{endpoints}/authorize", code_verifier=VERIFIER)
        back = _agree(hub.visitor(), url)
        token = app.fetch_token(
            f"{endpoints}/token", authorization_response=back, state=state, code_verifier=VERIFIER
        )
        code = re.findall(r"code=([^&]+)", back)[0]
        # What stands in an address by mistake is not written down either.
        app.get(
            f"{endpoints}/userinfo?access_token={token['access_token']}&refresh_token={token['refresh_token']}",
            withhold_token=True,
        )
        app.get(f"{hub.public_url}hub/logout?id_token_hint={token['id_token']}", withhold_token=True)
    for secret in (
        SECRET,
        VERIFIER,
        state,
        code,
        token["access_token"],
        token["refresh_token"],
        token["id_token"],
        "PRIVATE KEY",
    ):
        assert secret not in hub.log
    assert "access_token=[secret]" in hub.log
