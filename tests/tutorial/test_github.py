"""Sign in with GitHub: client and secret from the environment, accounts of the machine for who is new."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.plugins.oauth import come_in, stay_out
from tests.plugins.test_oauth_github import api, commas
from tests.rigs.accounts import PYTHON, SERVER, account_to_come
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.oauth_stand_in import CLIENT_ID, CLIENT_SECRET, OAuthStandIn
from tests.tutorial.examples import TUTORIAL, example

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def github() -> Iterator[OAuthStandIn]:
    need_plugins()
    with OAuthStandIn("/login/oauth/authorize", "/login/oauth/access_token", api, commas) as stand_in:
        yield stand_in


def filled_in(hub: HubProcess) -> str:
    """Return the file `env`, filled in as its owner does."""
    text = (TUTORIAL / "github" / "env").read_text()
    for shown, own in (
        ("GITHUB_CLIENT_ID=...", f"GITHUB_CLIENT_ID={CLIENT_ID}"),
        ("GITHUB_CLIENT_SECRET=...", f"GITHUB_CLIENT_SECRET='{CLIENT_SECRET}'"),
        ("https://hub.example.org/", hub.public_url),
    ):
        assert text.count(shown) == 1
        text = text.replace(shown, own)
    return text


def test_accounts_for_github_users_on_the_list(github: OAuthStandIn, tmp_path: Path) -> None:
    need(os.geteuid() == 0, "root, who may make a system account,")
    need(PYTHON.exists(), f"{PYTHON}")
    plain = carrel_with_plugins()
    # As the page says it: the variables, then the hub.
    command = ("sh", "-c", f'. {tmp_path}/env && exec "$@"', "sh", *plain.command)
    system = replace(plain, command=command, environment={**plain.environment, "GITHUB_URL": github.url})
    with account_to_come() as name:
        # Those of the example would get accounts, too, on this machine and to stay.
        more = f"c.Authenticator.allowed_users = {{{name!r}}}", "c.Authenticator.admin_users = set()"
        config = example("github", tmp_path, *more, command=[str(PYTHON), "-c", SERVER])
        hub = HubProcess(system, tmp_path, config)
        (tmp_path / "env").write_text(filled_in(hub))
        with hub:
            assert "Sign in with GitHub" in hub.visitor().get("hub/login").text
            visitor = come_in(hub, github, name)
            assert github.asked["redirect_uri"] == f"{hub.public_url}hub/oauth_callback"
            account = pwd.getpwnam(name)
            token = hub.token(name)
            visitor.follow("hub/spawn")
            hub.wait_server(name, token)
            words = visitor.get(f"user/{name}/").text.split()
            assert words[:2] == [str(account.pw_uid), str(account.pw_gid)]
            assert "not currently authorized" in stay_out(hub, github, "mallory")
            assert CLIENT_SECRET not in hub.log
