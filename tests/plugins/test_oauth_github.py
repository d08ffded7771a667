"""GitHubOAuthenticator and LocalGitHubOAuthenticator: organisations, teams, addresses, system accounts."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.plugins.oauth import STATE, come_in, hub_for, stay_out
from tests.plugins.visits import start_use_stop, stop_server
from tests.rigs.accounts import PYTHON, SERVER, account_to_come
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.oauth_stand_in import CLIENT_ID, CLIENT_SECRET, Answer, OAuthStandIn

PLUGIN = "oauthenticator"
BACK_END = "a stand-in with the shape of GitHub Enterprise's API"
NOTES = (
    "GitHub lists granted scopes with commas, which oauthenticator 17.4 does not take apart: with more than "
    "one scope asked for, private e-mail addresses are not looked up.",
)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: Who is in which organisation and team.
ORGS = {"college": {"octoada", "bob"}}
TEAMS = {"museum/guides": {"cy"}, "museum/guards": {"cy"}}


def api(url: str, name: str) -> Answer | None:
    """Answer as GitHub's REST API does to the owner of a token."""
    where = urlsplit(url).path.removeprefix("/api/v3")
    if where == "/user":
        return Answer({"login": name, "id": 7, "email": None, "name": name.title()})
    if where == "/user/emails":
        other = {"email": "other@example.org", "primary": False}
        return Answer([other, {"email": f"{name.lower()}@example.org", "primary": True}])
    if where == "/user/teams":
        return teams(url, name)
    team = re.fullmatch(r"/orgs/([^/]+)/teams/([^/]+)/members/([^/]+)", where)
    member = re.fullmatch(r"/orgs/([^/]+)/members/([^/]+)", where)
    found = (team and team[3].lower() in TEAMS.get(f"{team[1]}/{team[2]}", ())) or (
        member and member[2].lower() in ORGS.get(member[1], ())
    )
    return Answer(status=204) if found else None


def teams(url: str, name: str) -> Answer:
    """Answer with somebody's teams, one a page, and a Link to the next page as GitHub gives it."""
    mine = sorted(place for place, members in TEAMS.items() if name.lower() in members)
    number = int(parse_qs(urlsplit(url).query).get("page", ["0"])[0])
    found = [{"slug": place.partition("/")[2], "organization": {"login": "museum"}} for place in mine]
    base = url.partition("?")[0]
    more = {"Link": f'<{base}?per_page=100&page={number + 1}>; rel="next"'} if number + 1 < len(mine) else {}
    return Answer(found[number : number + 1], headers=more)


def commas(name: str, scopes: list[str]) -> dict[str, str]:
    """Return the granted scopes as GitHub's token endpoint lists them."""
    return {"scope": ",".join(scopes)}


@pytest.fixture(scope="module")
def github() -> Iterator[OAuthStandIn]:
    stand_in = OAuthStandIn("/login/oauth/authorize", "/login/oauth/access_token", api, commas)
    with stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def hub(github: OAuthStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """Members of an organisation and of a team may come in; the environment says where GitHub is."""
    environment = {
        "GITHUB_URL": github.url,
        "GITHUB_CLIENT_ID": CLIENT_ID,
        "GITHUB_CLIENT_SECRET": CLIENT_SECRET,
    }
    config = f"""
{STATE}
c.GitHubOAuthenticator.allowed_organizations = {{'college', 'museum:guides'}}
c.GitHubOAuthenticator.scope = ['read:org']
c.GitHubOAuthenticator.populate_teams_in_auth_state = True
c.GitHubOAuthenticator.manage_groups = True
c.GitHubOAuthenticator.auth_state_groups_key = lambda state: [team['slug'] for team in state['teams']]
c.Authenticator.admin_users = {{'octoada'}}
"""
    directory = tmp_path_factory.mktemp("github")
    with hub_for(directory, "github", config, environment=environment) as running:
        yield running


def test_a_member_of_the_organisation_uses_a_server(hub: HubProcess, github: OAuthStandIn) -> None:
    """A member of allowed_organizations signs in, whatever the case of their login, and uses a server."""
    ada = come_in(hub, github, "OctoAda")
    assert github.asked["scope"] == "read:org"
    start_use_stop(hub, ada, "octoada")
    model = hub.api("GET", "users/octoada", token=hub.token("octoada")).json()
    assert (model["name"], model["admin"], model["groups"]) == ("octoada", True, [])


def test_teams_become_groups(hub: HubProcess, github: OAuthStandIn) -> None:
    """Somebody of an allowed team (org:team) signs in; teams of several pages become the hub's groups."""
    come_in(hub, github, "OctoAda")
    come_in(hub, github, "cy")
    model = hub.api("GET", "users/cy", token=hub.token("octoada")).json()
    assert model["groups"] == ["guards", "guides"]
    assert [team["slug"] for team in model["auth_state"]["teams"]] == ["guards", "guides"]


def test_strangers_stay_out(hub: HubProcess, github: OAuthStandIn) -> None:
    """Who is in no allowed organisation or team gets the 403 page, with a name or without one."""
    assert "not currently authorized" in stay_out(hub, github, "mallory")


def test_a_private_address_is_looked_up(github: OAuthStandIn, tmp_path: Path) -> None:
    """With the scope user:email a private address is in auth_state; old names of settings work."""
    config = f"""
{STATE}
c.GitHubOAuthenticator.github_url = {github.url!r}
c.GitHubOAuthenticator.github_organization_whitelist = {{'college'}}
c.GitHubOAuthenticator.scope = ['user:email']
c.Authenticator.admin_users = {{'bob'}}
"""
    with hub_for(tmp_path, "github", config) as hub:
        come_in(hub, github, "bob")
        model = hub.api("GET", "users/bob", token=hub.token("bob")).json()
        assert model["auth_state"]["github_user"]["email"] == "bob@example.org"
        assert "not currently authorized" in stay_out(hub, github, "cy")


def test_accounts_of_the_machine_are_made(github: OAuthStandIn, tmp_path: Path) -> None:
    """LocalGitHubOAuthenticator with create_system_users makes an account, and its server runs as that."""
    need(os.geteuid() == 0, "root, who may make a system account,")
    config = f"""
c.GitHubOAuthenticator.github_url = {github.url!r}
c.LocalAuthenticator.create_system_users = True
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'localprocess'
c.Spawner.cmd = [{str(PYTHON)!r}, '-c', {SERVER!r}]
c.Spawner.args = []
"""
    with account_to_come() as name, hub_for(tmp_path, "local-github", config) as hub:
        visitor = come_in(hub, github, name)
        account = pwd.getpwnam(name)
        token = hub.token(name)
        visitor.follow("hub/spawn")
        hub.wait_server(name, token)
        assert visitor.get(f"user/{name}/").text.split()[:3] == [
            str(account.pw_uid),
            str(account.pw_gid),
            account.pw_dir,
        ]
        stop_server(visitor, name)
