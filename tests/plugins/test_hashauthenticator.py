"""HashAuthenticator: passwords that follow from names, for classes; administrators read them from a list."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import problem, refusal, start_use_stop, trial_config, who
from tests.rigs.hub import HubProcess
from tests.rigs.visitor import Visitor

PLUGIN = "jupyterhub-hashauthenticator"
BACK_END = "none"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

KEY = "known to whoever runs the hub"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("hash")
    config = f"""
c.JupyterHub.authenticator_class = 'hashauthenticator.HashAuthenticator'
c.HashAuthenticator.secret_key = {KEY!r}
c.HashAuthenticator.password_length = 8
c.HashAuthenticator.show_logins = True
c.Authenticator.allowed_users = {{'ada', 'bob'}}
c.Authenticator.admin_users = {{'grace'}}
"""
    with HubProcess(carrel_with_plugins(), directory, config + trial_config(directory)) as running:
        yield running


def password(name: str) -> str:
    """Return the password that follows from a name, as the plug-in's manual says."""
    return hashlib.pbkdf2_hmac("sha256", name.encode(), KEY.encode(), 25_000).hex()[:8]


def signed_in(hub: HubProcess, name: str) -> Visitor:
    visitor = hub.visitor()
    assert problem(visitor.log_in(name, password(name))) == ""
    assert who(visitor) == name
    return visitor


def test_ada_signs_in_and_uses_a_server(hub: HubProcess) -> None:
    """The password of a name signs in, somebody else's does not; a server is started, used and stopped."""
    assert problem(hub.visitor().log_in("ada", password("bob"))) == "Invalid username or password"
    start_use_stop(hub, signed_in(hub, "ada"), "ada")


def test_administrators_get_the_list(hub: HubProcess) -> None:
    """The list of names and passwords is for administrators alone."""
    signed_in(hub, "bob")
    answer = signed_in(hub, "grace").get("hub/login_list")
    assert answer.headers.get_content_type() == "text/plain"
    assert dict(csv.reader(answer.text.splitlines())) == {
        name: password(name) for name in ("ada", "bob", "grace")
    }
    refused = signed_in(hub, "bob").get("hub/login_list")
    assert refused.status == 403
    assert refusal(refused)
    assert hub.visitor().get("hub/login_list").status in {302, 403}
