"""GenericOAuthenticator: everything between the log-in button and the provider's log-out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import open_page, screenshot
from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import refusal, start_use_stop, trial_config, who
from tests.rigs.hub import HubProcess
from tests.rigs.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, refuse, sign_in
from tests.rigs.systems import free_port
from tests.rigs.visitor import Reply, Visitor

PLUGIN = "oauthenticator"
BACK_END = "the certified OpenID provider oidc-provider 9 (npm)"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@dataclass(frozen=True, slots=True)
class College:
    """A hub and the provider that it trusts."""

    hub: HubProcess
    provider: OidcProvider

    def signed_in(self, name: str, start: str = "hub/oauth_login") -> tuple[Visitor, Reply]:
        """Return a visitor whom the provider has sent back, and the hub's answer to that."""
        visitor = self.hub.visitor()
        return visitor, visitor.get(sign_in(visitor, name, start))

    def model(self, name: str) -> dict[str, object]:
        """Return what the hub knows of a user, auth_state included; ada must have signed in once."""
        reply = self.hub.api("GET", f"users/{name}", token=self.hub.token("ada"))
        return dict(reply.json())


@pytest.fixture(scope="module")
def college(tmp_path_factory: pytest.TempPathFactory) -> Iterator[College]:
    directory = tmp_path_factory.mktemp("generic")
    provider = OidcProvider(directory)
    config = f"""
c.JupyterHub.authenticator_class = 'generic-oauth'
c.GenericOAuthenticator.login_service = 'the college'
c.GenericOAuthenticator.client_id = {CLIENT_ID!r}
c.GenericOAuthenticator.client_secret = {CLIENT_SECRET!r}
c.GenericOAuthenticator.authorize_url = '{provider.url}/auth'
c.GenericOAuthenticator.token_url = '{provider.url}/token'
c.GenericOAuthenticator.userdata_url = '{provider.url}/me'
c.GenericOAuthenticator.scope = ['openid', 'profile', 'email', 'groups', 'offline_access']
c.GenericOAuthenticator.extra_authorize_params = {{'prompt': 'consent'}}
c.GenericOAuthenticator.username_claim = 'preferred_username'
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.auth_state_groups_key = 'oauth_user.groups'
c.GenericOAuthenticator.allowed_groups = {{'staff'}}
c.GenericOAuthenticator.admin_groups = {{'hub-admins'}}
c.GenericOAuthenticator.logout_redirect_url = '{provider.url}/session/end'
c.GenericOAuthenticator.enable_auth_state = True
c.CryptKeeper.keys = ['22' * 32]
"""
    hub = HubProcess(carrel_with_plugins(), directory, config + trial_config(directory))
    provider.redirect_uri = f"{hub.public_url}hub/oauth_callback"
    with provider, hub:
        yield College(hub, provider)


def test_the_button_leads_to_the_provider_and_back_to_where_one_was_going(college: College) -> None:
    """The log-in page has the provider's button; PKCE and state go along, and next= survives the way."""
    visitor = college.hub.visitor()
    page = visitor.follow("hub/token")
    link = re.search(r'href="([^"]*oauth_login[^"]*)"[^>]*>\s*Sign in with the college', page.text)
    assert link, page.text
    start = link[1].replace("&amp;", "&")
    asked = parse_qs(urlsplit(visitor.get(start).location).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [college.provider.redirect_uri]
    arrived = visitor.get(sign_in(visitor, "bob", start))
    assert urlsplit(arrived.location).path == "/hub/token"
    assert who(visitor) == "bob"


def test_bob_signs_in_and_uses_a_server(college: College) -> None:
    """Code flow, then a server is started, used and stopped."""
    bob, arrived = college.signed_in("bob")
    assert arrived.location
    start_use_stop(college.hub, bob, "bob")


def test_groups_admins_and_auth_state_come_from_the_provider(college: College) -> None:
    """manage_groups, allowed_groups, admin_groups; auth_state holds tokens, scopes and what the user is."""
    college.signed_in("ada")
    college.signed_in("bob")
    ada, bob = college.model("ada"), college.model("bob")
    assert (ada["admin"], ada["groups"]) == (True, ["hub-admins", "staff"])
    assert (bob["admin"], bob["groups"]) == (False, ["staff"])
    state = bob["auth_state"]
    assert isinstance(state, dict)
    assert state["oauth_user"] | {"groups": 0} == {
        "sub": "bob",
        "preferred_username": "bob",
        "email": "bob@example.org",
        "groups": 0,
    }
    assert {"access_token", "refresh_token", "id_token"} <= {key for key, value in state.items() if value}
    assert "offline_access" in state["scope"]


def test_who_is_in_no_allowed_group_gets_a_page(college: College) -> None:
    """Somebody whom the provider knows and no rule admits gets the plug-in's 403 message on a page."""
    eve, answer = college.signed_in("eve")
    assert answer.status == 403
    assert "not currently authorized to use this hub" in refusal(answer)
    assert who(eve) == ""


def test_refused_consent_is_told(college: College) -> None:
    """Who says no on the provider's page comes back to a page that says so."""
    visitor = college.hub.visitor()
    answer = visitor.get(refuse(visitor))
    assert answer.status == 400
    assert "OAuth error: End-User aborted interaction" in refusal(answer)
    assert "begin anew" in refusal(answer)


def test_a_state_of_somebody_else_is_refused(college: College) -> None:
    """The provider's answer to one browser does not sign in another, nor one that asked anew."""
    mallory, victim = college.hub.visitor(), college.hub.visitor()
    address = sign_in(mallory, "bob")
    assert "state missing from cookies" in refusal(victim.get(address))
    victim.get("hub/oauth_login")
    answer = victim.get(address)
    assert (answer.status, who(victim)) == (400, "")
    assert "state mismatch" in refusal(answer)


def test_a_code_works_once(college: College) -> None:
    """The address with the code signs in nobody when it is visited again, not even with a good state."""
    bob = college.hub.visitor()
    address = sign_in(bob, "bob")
    assert bob.get(address).location
    thief = college.hub.visitor()
    state = parse_qs(urlsplit(thief.get("hub/oauth_login").location).query)["state"][0]
    code = parse_qs(urlsplit(address).query)["code"][0]
    answer = thief.get(f"hub/oauth_callback?{urlencode({'code': code, 'state': state})}")
    assert answer.status >= 400
    assert refusal(answer)
    assert who(thief) == ""


@pytest.mark.parametrize(
    "next_url",
    ["https://evil.example/", "//evil.example/", "\\\\evil.example", "/\\evil.example", "javascript:1"],
)
def test_nobody_is_sent_elsewhere(college: College, next_url: str) -> None:
    """next= with somebody else's address leads nowhere but to the hub."""
    _, arrived = college.signed_in("bob", f"hub/oauth_login?{urlencode({'next': next_url})}")
    assert arrived.location.startswith(college.hub.public_url)
    assert "\\" not in arrived.headers["Location"]
    assert not arrived.headers["Location"].startswith("//")


def test_an_ended_access_token_is_renewed_before_a_start(college: College) -> None:
    """refresh_user takes the refresh token when the access token has ended; without either, sign in anew."""
    college.signed_in("ada")
    bob, _ = college.signed_in("bob")
    before = tokens(college)
    college.provider.end("AccessToken", before[0])
    start_use_stop(college.hub, bob, "bob")
    after = tokens(college)
    assert after[0] != before[0]
    college.provider.end("AccessToken", after[0])
    college.provider.end("RefreshToken", after[1])
    answer = bob.get("hub/spawn")
    assert (answer.status, who(bob)) == (403, "")
    assert "sign in again" in refusal(answer)


def tokens(college: College) -> tuple[str, str]:
    """Return bob's access token and refresh token."""
    state = college.model("bob")["auth_state"]
    assert isinstance(state, dict)
    return state["access_token"], state["refresh_token"]


def test_signing_out_ends_the_session_and_leads_to_the_provider(college: College) -> None:
    """The plug-in's log-out takes the hub's place: the cookie is dead, the provider's page comes next."""
    bob, _ = college.signed_in("bob")
    cookies = bob.cookie_header("hub/home")
    left = bob.get("hub/logout")
    assert left.location == f"{college.provider.url}/session/end"
    assert who(bob) == ""
    old = college.hub.visitor().request("GET", "hub/home", headers={"Cookie": cookies})
    assert urlsplit(old.location).path == "/hub/login"


def test_no_secret_is_logged(college: College) -> None:
    """Client secret, codes and tokens are not in the hub's log."""
    college.signed_in("ada")
    bob = college.hub.visitor()
    address = sign_in(bob, "bob")
    bob.get(address)
    secrets = [CLIENT_SECRET, *tokens(college), parse_qs(urlsplit(address).query)["code"][0]]
    assert [secret for secret in secrets if secret in college.hub.log] == []


def test_auto_login_and_a_provider_that_is_not_there(tmp_path: Path) -> None:
    """auto_login goes straight to the provider; when that does not answer in the end, a page says so."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    config = f"""
c.JupyterHub.authenticator_class = 'generic-oauth'
c.OAuthenticator.auto_login = True
c.OAuthenticator.client_id = 'hub'
c.OAuthenticator.client_secret = 'sesame'
c.OAuthenticator.authorize_url = '{nowhere}/auth'
c.OAuthenticator.token_url = '{nowhere}/token'
c.OAuthenticator.userdata_url = '{nowhere}/me'
c.OAuthenticator.allow_all = True
"""
    with HubProcess(carrel_with_plugins(), tmp_path, config) as hub:
        visitor = hub.visitor()
        reply = visitor.get("hub/home")
        while reply.location.startswith(hub.public_url):
            reply = visitor.get(reply.location)
        assert reply.location.startswith(f"{nowhere}/auth?")
        state = parse_qs(urlsplit(reply.location).query)["state"][0]
        answer = visitor.get(f"hub/oauth_callback?{urlencode({'code': 'any', 'state': state})}")
        assert answer.status >= 500
        assert refusal(answer)
        assert who(visitor) == ""


@pytest.mark.e2e
def test_in_a_browser(college: College) -> None:
    """In Chromium: button, provider's pages, home page, a refusal's page, log-out."""
    with open_page() as page:
        page.goto(f"{college.hub.public_url}hub/home")
        screenshot(page, "oauth log-in button")
        page.get_by_role("link", name="Sign in with the college").click()
        page.locator("[name=login]").fill("bob")
        page.locator("[name=password]").fill("any")
        page.locator("[type=submit]").click()
        page.locator("[type=submit]").click()
        expect(page.locator("#start")).to_be_visible()
        assert urlsplit(page.url).path == "/hub/home"
        page.goto(f"{college.hub.public_url}hub/oauth_callback?error=access_denied")
        screenshot(page, "oauth error")
        expect(page.get_by_role("heading", level=1)).to_contain_text("400")
        page.goto(f"{college.hub.public_url}hub/home")
        page.locator("#logout").click()
        page.wait_for_url(f"{college.provider.url}/**")
