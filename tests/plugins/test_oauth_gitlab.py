"""GitLabOAuthenticator: members of groups and developers of projects."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.plugins.oauth import come_in, hub_for, stay_out
from tests.plugins.visits import start_use_stop
from tests.rigs.oauth_stand_in import Answer, OAuthStandIn

PLUGIN = "oauthenticator"
BACK_END = "a stand-in with the shape of GitLab's API"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

IDS = {"ada": 1, "bob": 2, "cy": 3, "mallory": 4}
GROUP = {1}
#: What people may do in project 42: 30 is a developer, 20 a reporter.
PROJECT = {2: 30, 3: 20}


def api(url: str, name: str) -> Answer | None:
    """Answer as GitLab's REST API does to the owner of a token."""
    where = urlsplit(url).path.removeprefix("/api/v4")
    group = re.fullmatch(r"/groups/college/members/all/(\d+)", where)
    project = re.fullmatch(r"/projects/42/members/all/(\d+)", where)
    if where == "/user":
        return Answer({"id": IDS[name], "username": name, "email": f"{name}@example.org"})
    if where == "/version":
        return Answer({"version": "17.5.1-ee", "revision": "abc"})
    if group and int(group[1]) in GROUP:
        return Answer({"id": int(group[1]), "access_level": 10})
    if project and int(project[1]) in PROJECT:
        return Answer({"id": int(project[1]), "access_level": PROJECT[int(project[1])]})
    return None


def test_groups_and_projects_let_people_in(tmp_path: Path) -> None:
    """Members of allowed_gitlab_groups and developers of allowed_project_ids come in, reporters do not.

    One of them uses a server.
    """
    with OAuthStandIn("/oauth/authorize", "/oauth/token", api) as gitlab:
        config = f"""
c.GitLabOAuthenticator.gitlab_url = {gitlab.url!r}
c.GitLabOAuthenticator.allowed_gitlab_groups = {{'college'}}
c.GitLabOAuthenticator.allowed_project_ids = {{42}}
c.GitLabOAuthenticator.scope = ['read_user', 'read_api']
"""
        with hub_for(tmp_path, "gitlab", config) as hub:
            ada = come_in(hub, gitlab, "ada")
            assert gitlab.asked["scope"].split() == ["read_user", "read_api"]
            come_in(hub, gitlab, "bob")
            for name in ("cy", "mallory"):
                assert "not currently authorized" in stay_out(hub, gitlab, name)
            start_use_stop(hub, ada, "ada")
