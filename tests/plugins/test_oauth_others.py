"""Auth0, Bitbucket, CILogon, Globus and OpenShift: what each does its own way."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.plugins.oauth import STATE, come_in, hub_for, stay_out
from tests.plugins.visits import start_use_stop, stop_server, use_server
from tests.rigs import processes
from tests.rigs.oauth_stand_in import Answer, OAuthStandIn

PLUGIN = "oauthenticator"
BACK_END = "stand-ins with the shapes of these services' APIs"
NOTES = ("Bitbucket's teams ask a fixed address of Bitbucket's; they were not tried.",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def urls(kind: str, service: OAuthStandIn, userinfo: str) -> str:
    """Return the settings that say where a service is."""
    authorize, token = service.paths
    return f"""
c.{kind}.authorize_url = '{service.url}{authorize}'
c.{kind}.token_url = '{service.url}{token}'
c.{kind}.userdata_url = '{service.url}{userinfo}'
"""


def test_auth0(tmp_path: Path) -> None:
    """Auth0: verified addresses are names; unverified ones get the plug-in's words; log-out goes to Auth0."""

    def api(url: str, name: str) -> Answer | None:
        return Answer({"email": f"{name}@example.org", "email_verified": name == "ada"})

    with OAuthStandIn("/authorize", "/oauth/token", api) as auth0:
        config = f"""
{urls("Auth0OAuthenticator", auth0, "/userinfo")}
c.Auth0OAuthenticator.auth0_domain = 'college.eu.auth0.com'
c.Authenticator.allow_all = True
"""
        with hub_for(tmp_path, "auth0", config) as hub:
            ada = come_in(hub, auth0, "ada")
            assert "unverified email bob@example.org is not allowed" in stay_out(hub, auth0, "bob")
            start_use_stop(hub, ada, "ada@example.org")
            assert ada.get("hub/logout").location == "https://college.eu.auth0.com/v2/logout"


def test_bitbucket(tmp_path: Path) -> None:
    """Bitbucket: allowed_users by their Bitbucket names, others stay out."""

    def api(url: str, name: str) -> Answer | None:
        return Answer({"username": name, "display_name": name.title()})

    with OAuthStandIn("/site/oauth2/authorize", "/site/oauth2/access_token", api) as bitbucket:
        config = f"""
{urls("BitbucketOAuthenticator", bitbucket, "/2.0/user")}
c.Authenticator.allowed_users = {{'bea'}}
"""
        with hub_for(tmp_path, "bitbucket", config) as hub:
            bea = come_in(hub, bitbucket, "bea")
            assert "not currently authorized" in stay_out(hub, bitbucket, "mallory")
            start_use_stop(hub, bea, "bea")


def test_cilogon(tmp_path: Path) -> None:
    """CILogon: each identity provider has its own names and rules; unknown ones are refused."""
    college, library = "https://idp.college.edu/shibboleth", "https://idp.library.org/saml"
    userinfo = {
        "ada": {"idp": college, "eppn": "ada@college.edu"},
        "guest": {"idp": college, "eppn": "guest@elsewhere.org"},
        "leo": {"idp": library, "email": "leo"},
        "mallory": {"idp": "https://idp.evil.example", "email": "ada"},
    }
    with OAuthStandIn("/authorize", "/oauth2/token", lambda url, name: Answer(userinfo[name])) as cilogon:
        config = f"""
{urls("CILogonOAuthenticator", cilogon, "/oauth2/userinfo")}
c.CILogonOAuthenticator.idps = {{
    {college!r}: {{
        'username_derivation': {{
            'username_claim': 'eppn', 'action': 'strip_idp_domain', 'domain': 'college.edu',
        }},
        'allowed_domains': ['college.edu'],
    }},
    {library!r}: {{
        'default': True,
        'username_derivation': {{'username_claim': 'email', 'action': 'prefix', 'prefix': 'library'}},
        'allow_all': True,
    }},
}}
"""
        with hub_for(tmp_path, "cilogon", config) as hub:
            ada = come_in(hub, cilogon, "ada")
            assert cilogon.asked["selected_idp"] == f"{library},{college}"
            assert "not currently authorized" in stay_out(hub, cilogon, "guest")
            assert "not pre-configured" in stay_out(hub, cilogon, "mallory")
            leo = come_in(hub, cilogon, "leo")
            start_use_stop(hub, ada, "ada")
            start_use_stop(hub, leo, "library:leo")


def test_globus(tmp_path: Path) -> None:
    """Globus: groups by their own token, tokens in the server's environment, people of one institution."""
    groups = {"gloria@college.edu": [{"id": "group-staff"}]}

    def api(url: str, name: str) -> Answer | None:
        if urlsplit(url).path == "/v2/groups/my_groups":
            return Answer(groups.get(name, []))
        return Answer({"preferred_username": name, "sub": f"id-{name}"})

    def other_tokens(name: str, scopes: list[str]) -> Mapping[str, Any]:
        servers = ("groups.api.globus.org", "transfer.api.globus.org")
        made = [{"resource_server": server, "access_token": held(name), "scope": "all"} for server in servers]
        return {"resource_server": "auth.globus.org", "expires_in": 3600, "other_tokens": made}

    with OAuthStandIn("/v2/oauth2/authorize", "/v2/oauth2/token", api, other_tokens) as globus:
        held = globus.token_for
        config = f"""
{STATE}
{urls("GlobusOAuthenticator", globus, "/v2/oauth2/userinfo")}
c.GlobusOAuthenticator.globus_groups_url = '{globus.url}/v2/groups/my_groups'
c.GlobusOAuthenticator.identity_provider = 'college.edu'
c.GlobusOAuthenticator.admin_globus_groups = {{'group-staff'}}
c.GlobusOAuthenticator.globus_local_endpoint = 'endpoint-7'
c.Authenticator.allow_all = True
"""
        with hub_for(tmp_path, "globus", config) as hub:
            gloria = come_in(hub, globus, "gloria@college.edu")
            assert hub.api("GET", "users/gloria", token=hub.token("gloria")).json()["admin"] is True
            assert "restricted to college.edu accounts" in stay_out(hub, globus, "gloria@elsewhere.org")
            gloria.follow("hub/spawn")
            use_server(gloria, "gloria")
            environment = processes.environment(min(hub.servers()))
            assert environment["GLOBUS_LOCAL_ENDPOINT"] == "endpoint-7"
            assert b"transfer.api.globus.org" in base64.b64decode(environment["GLOBUS_DATA"])
            stop_server(gloria, "gloria")


def test_openshift(tmp_path: Path) -> None:
    """OpenShift: its addresses are discovered at start-up; groups of the cluster decide."""
    groups = {"oona": ["staff"], "mallory": []}

    def api(url: str, name: str) -> Answer | None:
        where = urlsplit(url)
        if where.path == "/.well-known/oauth-authorization-server":
            return Answer({"issuer": f"http://{where.netloc}"})
        if where.path == "/apis/user.openshift.io/v1/users/~":
            return Answer({"kind": "User", "metadata": {"name": name}, "groups": groups[name]})
        return None

    with OAuthStandIn("/oauth/authorize", "/oauth/token", api) as openshift:
        config = f"""
c.OpenShiftOAuthenticator.openshift_url = {openshift.url!r}
c.OpenShiftOAuthenticator.manage_groups = True
c.OpenShiftOAuthenticator.allowed_groups = {{'staff'}}
"""
        with hub_for(tmp_path, "openshift", config) as hub:
            oona = come_in(hub, openshift, "oona")
            assert openshift.asked["scope"] == "user:info"
            assert "not currently authorized" in stay_out(hub, openshift, "mallory")
            start_use_stop(hub, oona, "oona")
