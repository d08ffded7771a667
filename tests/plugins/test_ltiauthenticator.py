"""Launches from a learning platform: LTI 1.1, signed with a shared secret, and LTI 1.3, by OpenID Connect."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from oauthlib.oauth1 import SIGNATURE_TYPE_BODY, Client

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import refusal, start_use_stop, trial_config, who
from tests.rigs.hub import HubProcess
from tests.rigs.visitor import Reply, Visitor

PLUGIN = "jupyterhub-ltiauthenticator"
BACK_END = "launches signed by oauthlib, and a platform's keys served over HTTP"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

KEY, SECRET = "the-college", "known to platform and hub"
CLIENT_ID = "hub-tool"
CLAIM = "https://purl.imsglobal.org/spec/lti/claim"
EVERYBODY = "c.Authenticator.allow_all = True\n"
FRAMES = """
c.JupyterHub.tornado_settings = {
    'headers': {'Content-Security-Policy': "frame-ancestors 'self' https://platform.example"},
    'cookie_options': {'SameSite': 'None', 'Secure': True},
}
"""


# -- 1.1 -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub that takes launches of LTI 1.1."""
    directory = tmp_path_factory.mktemp("lti11")
    config = f"""
c.JupyterHub.authenticator_class = 'ltiauthenticator.LTIAuthenticator'
c.LTI11Authenticator.consumers = {{{KEY!r}: {SECRET!r}}}
c.LTI11Authenticator.username_key = 'lis_person_contact_email_primary'
c.LTI11Authenticator.config_title = 'Notebooks of the college'
"""
    with HubProcess(carrel_with_plugins(), directory, config + EVERYBODY + trial_config(directory)) as hub:
        yield hub


def launch(hub: HubProcess, name: str, *, secret: str = SECRET, **more: str) -> dict[str, str]:
    """Return the fields of the form with which a platform launches the hub for somebody."""
    fields = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": "exercise-7",
        "user_id": f"platform-{name}",
        "lis_person_contact_email_primary": name,
        "roles": "Learner",
        **more,
    }
    client = Client(KEY, client_secret=secret, signature_type=SIGNATURE_TYPE_BODY)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, body = client.sign(f"{hub.public_url}hub/lti/launch", "POST", urlencode(fields), headers)
    return dict(parse_qsl(body))


def post(visitor: Visitor, path: str, fields: dict[str, str]) -> Reply:
    """Return the answer to a form that a page of the platform sends: from another site."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": "https://platform.example",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
    }
    return visitor.request("POST", path, body=urlencode(fields).encode(), headers=headers)


def test_a_signed_launch_of_lti_1_1(old: HubProcess) -> None:
    """LTI 1.1: a launch posted from another site signs in, and a server is used."""
    visitor = old.visitor()
    assert post(visitor, "hub/lti/launch", launch(old, "ada")).location
    assert who(visitor) == "ada"
    start_use_stop(old, visitor, "ada")


def test_a_launch_leads_where_it_says(old: HubProcess) -> None:
    """LTI 1.1: custom_next is where one arrives."""
    visitor = old.visitor()
    aim = "/hub/user-redirect/git-pull?repo=https://example.org/course"
    assert post(visitor, "hub/lti/launch", launch(old, "ada", custom_next=aim)).headers["Location"] == aim


def test_a_second_launch_in_one_browser_is_somebody_else(old: HubProcess) -> None:
    """LTI 1.1: who launches in a browser in which somebody else was signed in is who they are."""
    visitor = old.visitor()
    for name in ("ada", "bob"):
        post(visitor, "hub/lti/launch", launch(old, name))
        assert who(visitor) == name


def test_forged_and_repeated_launches_are_refused(old: HubProcess) -> None:
    """LTI 1.1: a wrong secret, a changed field, an old launch and one that was used before get a 401 page."""
    good = launch(old, "ada")
    forged = [
        launch(old, "ada", secret="guessed"),
        {**launch(old, "bob"), "lis_person_contact_email_primary": "ada"},
    ]
    stale = {**launch(old, "ada"), "oauth_timestamp": str(int(time.time()) - 3600)}
    assert post(old.visitor(), "hub/lti/launch", good).location
    for fields in (*forged, stale, good):
        visitor = old.visitor()
        reply = post(visitor, "hub/lti/launch", fields)
        assert (reply.status, who(visitor)) == (401, "")
        assert refusal(reply)
    missing = post(old.visitor(), "hub/lti/launch", {"user_id": "ada"})
    assert missing.status == 400
    assert "not included in request" in refusal(missing)


def test_the_platform_is_told_where_to_launch(old: HubProcess) -> None:
    """LTI 1.1: the XML with which the hub is added to a platform has title and address."""
    reply = old.visitor().get("hub/lti11/config")
    assert reply.headers.get_content_type() == "application/xml"
    assert f"{old.public_url}hub/lti/launch" in reply.text
    assert "Notebooks of the college" in reply.text


# -- 1.3 -------------------------------------------------------------------------------------------------


@dataclass
class Platform:
    """A learning platform: its key, served as JWKS, and the launches that it signs."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    issuer: str = "https://platform.example"

    def __enter__(self) -> Platform:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        keys = json.dumps({"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def id_token(self, nonce: str, name: str, key: rsa.RSAPrivateKey | None = None, **more: object) -> str:
        """Return a signed launch for somebody."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": f"platform-{name}",
            "email": name,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            f"{CLAIM}/version": "1.3.0",
            f"{CLAIM}/message_type": "LtiResourceLinkRequest",
            f"{CLAIM}/deployment_id": "1",
            f"{CLAIM}/target_link_uri": "https://hub.example/hub",
            f"{CLAIM}/roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
            f"{CLAIM}/resource_link": {"id": "exercise-7"},
            **more,
        }
        return jwt.encode(claims, key or self.key, "RS256", {"kid": "1"})


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as running:
        yield running


def config_13(platform: Platform) -> str:
    return f"""
c.JupyterHub.authenticator_class = 'ltiauthenticator.lti13.auth.LTI13Authenticator'
c.LTI13Authenticator.issuer = {platform.issuer!r}
c.LTI13Authenticator.client_id = {{{CLIENT_ID!r}}}
c.LTI13Authenticator.authorize_url = '{platform.issuer}/authorize'
c.LTI13Authenticator.jwks_endpoint = '{platform.url}/jwks'
{EVERYBODY}"""


@pytest.fixture(scope="module")
def new(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub that takes launches of LTI 1.3."""
    directory = tmp_path_factory.mktemp("lti13")
    config = config_13(platform) + trial_config(directory)
    with HubProcess(carrel_with_plugins(), directory, config) as hub:
        yield hub


def begin(hub: HubProcess, visitor: Visitor, platform: Platform, aim: str = "") -> dict[str, str]:
    """Begin a launch as the platform does, and return what the hub asks the platform for."""
    fields = {
        "iss": platform.issuer,
        "login_hint": "5",
        "lti_message_hint": "42",
        "client_id": CLIENT_ID,
        "target_link_uri": f"{hub.public_url}hub{aim}",
    }
    asked = urlsplit(post(visitor, "hub/lti13/oauth_login", fields).location)
    assert f"{asked.scheme}://{asked.netloc}{asked.path}" == f"{platform.issuer}/authorize"
    return {name: values[0] for name, values in parse_qs(asked.query).items()}


def finish(visitor: Visitor, asked: dict[str, str], token: str) -> Reply:
    """Return the hub's answer to the form with which the platform hands somebody over."""
    return post(visitor, "hub/lti13/oauth_callback", {"state": asked["state"], "id_token": token})


def test_a_signed_launch_of_lti_1_3(new: HubProcess, platform: Platform) -> None:
    """LTI 1.3: the platform begins, the hub asks, a signed id_token signs in; a server is used."""
    visitor = new.visitor()
    asked = begin(new, visitor, platform, aim="?next=/hub/token")
    assert asked["redirect_uri"] == f"{new.public_url}hub/lti13/oauth_callback"
    assert (asked["response_mode"], asked["prompt"], asked["login_hint"]) == ("form_post", "none", "5")
    arrived = finish(visitor, asked, platform.id_token(asked["nonce"], "ada"))
    assert urlsplit(arrived.location).path == "/hub/token"
    assert who(visitor) == "ada"
    start_use_stop(new, visitor, "ada")


def test_forged_and_repeated_launches_of_lti_1_3(new: HubProcess, platform: Platform) -> None:
    """LTI 1.3: a foreign key, issuer, audience or nonce, an expired or a stolen token get an error page."""
    other = rsa.generate_private_key(65537, 2048)
    cases: list[dict[str, Any]] = [
        {"key": other},
        {"iss": "https://evil.example"},
        {"aud": "another-tool"},
        {"nonce": "guessed"},
        {"exp": int(time.time()) - 60},
        {f"{CLAIM}/version": "1.1"},
    ]
    for changes in cases:
        visitor = new.visitor()
        asked = begin(new, visitor, platform)
        token = platform.id_token(**{"nonce": asked["nonce"], "name": "ada", **changes})
        reply = finish(visitor, asked, token)
        assert (reply.status in {400, 401}, who(visitor)) == (True, ""), changes
        assert refusal(reply)
    first, thief = new.visitor(), new.visitor()
    asked = begin(new, first, platform)
    token = platform.id_token(asked["nonce"], "ada")
    assert finish(first, asked, token).location
    for stolen in (asked, begin(new, thief, platform)):
        assert finish(thief, stolen, token).status == 400
        assert who(thief) == ""


def test_cookies_for_frames_of_another_site(platform: Platform, tmp_path: Path) -> None:
    """For platforms that use frames: pages allow it, all cookies are SameSite=None and Secure."""
    with HubProcess(carrel_with_plugins(), tmp_path, config_13(platform) + FRAMES) as hub:
        visitor = hub.visitor()
        fields = {"iss": platform.issuer, "login_hint": "5", "target_link_uri": f"{hub.public_url}hub"}
        begun = post(visitor, "hub/lti13/oauth_login", {**fields, "client_id": CLIENT_ID})
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.location).query).items()}
        # Sent by hand: nobody but a browser over TLS sends cookies that are Secure.
        cookies = "; ".join(each.partition(";")[0] for each in begun.headers.get_all("Set-Cookie", []))
        form = {"state": asked["state"], "id_token": platform.id_token(asked["nonce"], "ada")}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}
        body = urlencode(form).encode()
        done = visitor.request("POST", "hub/lti13/oauth_callback", body=body, headers=headers)
        assert done.location, done.text
        kept = [each for each in done.headers.get_all("Set-Cookie", []) if '=""' not in each]
        assert kept
        page = visitor.get("hub/login")
        assert "frame-ancestors 'self' https://platform.example" in page.headers["Content-Security-Policy"]
        for cookie in kept:
            assert "samesite=none" in cookie.lower(), cookie
            assert "secure" in cookie.lower(), cookie
