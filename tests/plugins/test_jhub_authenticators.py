"""HeaderAuthenticator: a proxy in front of the hub has signed people in, and says who they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.oauth import STATE
from tests.plugins.visits import refusal, stop_server, trial_config, use_server, who
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.visitor import NAVIGATION, Visitor

PLUGIN = "jhub-authenticators"
BACK_END = "requests with the headers of such a proxy"
NOTES = ("It believes whoever can send the header: the proxy in front has to replace it in every request.",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("header")
    config = f"""
from jhubauthenticators import Parser, RegexUsernameParser
{STATE}
c.JupyterHub.authenticator_class = 'jhubauthenticators.HeaderAuthenticator'
c.HeaderAuthenticator.allowed_headers = {{'auth': 'Remote-User', 'mail': 'Remote-Mail'}}
c.HeaderAuthenticator.header_parser_classes = {{'auth': RegexUsernameParser, 'mail': Parser}}
c.RegexUsernameParser.username_extract_regex = '^([^@]+)@college[.]edu$'
c.HeaderAuthenticator.spawner_shared_headers = ['Remote-Mail']
c.Authenticator.blocked_users = {{'mallory'}}
c.Authenticator.allow_all = True
"""
    with HubProcess(carrel_with_plugins(), directory, config + trial_config(directory)) as running:
        yield running


def arrive(visitor: Visitor, user: str) -> None:
    """Visit the log-in page through the proxy in front, which knows the visitor as `user`."""
    headers = {**NAVIGATION, "Remote-User": user, "Remote-Mail": f"{user.partition('@')[0]}@example.org"}
    visitor.request("GET", "hub/login", headers=headers)


def test_the_header_says_who_it_is(hub: HubProcess) -> None:
    """The parsed header signs in; another header goes by way of auth_state into the server's environment."""
    visitor = hub.visitor()
    arrive(visitor, "ada@college.edu")
    assert who(visitor) == "ada"
    visitor.follow("hub/spawn")
    use_server(visitor, "ada")
    assert processes.environment(min(hub.servers()))["Remote-Mail"] == "ada@example.org"
    stop_server(visitor, "ada")


@pytest.mark.parametrize("user", ["", "ada@elsewhere.org", "mallory@college.edu"])
def test_others_stay_out(hub: HubProcess, user: str) -> None:
    """No header, a name that does not parse, and a blocked one get an error page."""
    visitor = hub.visitor()
    reply = visitor.request(
        "GET", "hub/login", headers={**NAVIGATION, **({"Remote-User": user} if user else {})}
    )
    assert reply.status in {401, 403}
    assert refusal(reply)
    assert who(visitor) == ""
