"""GoogleOAuthenticator: hosted domains and verified addresses, without Google's directory of groups."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.plugins.oauth import come_in, hub_for, stay_out
from tests.plugins.visits import start_use_stop
from tests.rigs.oauth_stand_in import Answer, OAuthStandIn

PLUGIN = "oauthenticator"
BACK_END = "a stand-in with the shape of Google's userinfo"
NOTES = ("Google's groups ask a fixed address of Google's; they were not tried.",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

USERINFO: dict[str, dict[str, object]] = {
    "Ada": {"email": "Ada@college.edu", "verified_email": True, "hd": "college.edu"},
    "hasty": {"email": "hasty@college.edu", "verified_email": False, "hd": "college.edu"},
    # An address of that domain, but of an account that the college's Google does not manage.
    "mallory": {"email": "mallory@college.edu", "verified_email": True},
}


def api(url: str, name: str) -> Answer | None:
    """Answer as Google's userinfo does."""
    if urlsplit(url).path == "/oauth2/v1/userinfo":
        return Answer({"id": f"1{len(name)}", "name": name, "picture": "", **USERINFO[name]})
    return None


def test_people_of_the_domain_come_in(tmp_path: Path) -> None:
    """People of hosted_domain come in without their domain; unverified addresses and other accounts do not.

    One of them uses a server.
    """
    with OAuthStandIn("/o/oauth2/v2/auth", "/oauth2/v4/token", api) as google:
        config = f"""
c.GoogleOAuthenticator.authorize_url = '{google.url}/o/oauth2/v2/auth'
c.GoogleOAuthenticator.google_api_url = {google.url!r}
c.GoogleOAuthenticator.hosted_domain = ['college.edu']
c.Authenticator.allow_all = True
"""
        with hub_for(tmp_path, "google", config) as hub:
            ada = come_in(hub, google, "Ada")
            assert google.asked["scope"].split() == ["openid", "email"]
            assert "unverified email hasty@college.edu is not allowed" in stay_out(hub, google, "hasty")
            assert "not currently authorized" in stay_out(hub, google, "mallory")
            start_use_stop(hub, ada, "ada")
