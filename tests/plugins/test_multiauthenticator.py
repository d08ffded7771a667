"""Several ways to sign in beside each other: two services by OAuth, and a form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import start_use_stop, trial_config, who
from tests.rigs.hub import HubProcess
from tests.rigs.oauth_stand_in import CLIENT_ID, CLIENT_SECRET, Answer, OAuthStandIn

PLUGIN = "jupyterhub-multiauthenticator"
BACK_END = "two OAuth stand-ins"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@dataclass(frozen=True, slots=True)
class Place:
    """A hub, and the two services at which its people sign in."""

    hub: HubProcess
    college: OAuthStandIn
    museum: OAuthStandIn


def api(url: str, name: str) -> Answer | None:
    """Answer as a userinfo endpoint."""
    return Answer({"login": name, "username": name, "id": 1, "email": f"{name}@example.org"})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("multi")
    with (
        OAuthStandIn("/login/oauth/authorize", "/login/oauth/access_token", api) as college,
        OAuthStandIn("/oauth/authorize", "/oauth/token", api) as museum,
    ):
        config = f"""
client = {{'client_id': {CLIENT_ID!r}, 'client_secret': {CLIENT_SECRET!r}, 'allow_all': True}}
c.JupyterHub.authenticator_class = 'multiauthenticator'
c.MultiAuthenticator.authenticators = [
    {{'authenticator_class': 'github', 'url_prefix': '/college',
      'config': client | {{'github_url': {college.url!r}, 'login_service': 'College'}}}},
    {{'authenticator_class': 'gitlab', 'url_prefix': '/museum',
      'config': client | {{'gitlab_url': {museum.url!r}, 'login_service': 'Museum',
                          'blocked_users': {{'bob'}}}}}},
]
for each, prefix in zip(c.MultiAuthenticator.authenticators, ('college', 'museum')):
    each['config']['oauth_callback_url'] = c.JupyterHub.bind_url + f'hub/{{prefix}}/oauth_callback'
c.Authenticator.allow_all = True
"""
        with HubProcess(carrel_with_plugins(), directory, config + trial_config(directory)) as hub:
            yield Place(hub, college, museum)


def test_the_log_in_page_offers_all(place: Place) -> None:
    """There is a button for each, and each leads on to where one was going."""
    page = place.hub.visitor().follow("hub/token")
    links = dict(re.findall(r"href='([^']*)'[^>]*>\s*Sign in with (\w+)", page.text))
    assert {name: link.partition("?")[0] for link, name in links.items()} == {
        "College": "/hub/college/oauth_login",
        "Museum": "/hub/museum/oauth_login",
    }
    assert all("next=" in link and "/hub/token" in link.replace("%2F", "/") for link in links)


def test_people_of_both_come_in(place: Place) -> None:
    """The same name at two services is two people, each by the rules of their own; servers are used."""
    for service, prefix in ((place.college, "college"), (place.museum, "museum")):
        service.user = "ada"
        visitor = place.hub.visitor()
        visitor.follow(f"hub/{prefix}/oauth_login?next=/hub/home")
        assert who(visitor) == f"{prefix}:ada"
        start_use_stop(place.hub, visitor, f"{prefix}:ada")


def test_rules_are_those_of_the_service(place: Place) -> None:
    """Who is blocked at one service is not at the other."""
    outcomes = {}
    for service, prefix in ((place.college, "college"), (place.museum, "museum")):
        service.user = "bob"
        visitor = place.hub.visitor()
        visitor.follow(f"hub/{prefix}/oauth_login?next=/hub/home")
        outcomes[prefix] = who(visitor)
    assert outcomes == {"college": "college:bob", "museum": ""}
