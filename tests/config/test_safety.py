"""What is unsafe in a configuration, and what is not worth a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.config.safety import find_dangers
from tests.config.rig import choose

LOCAL = "c.JupyterHub.ip = '127.0.0.1'\n"
DUMMY = "c.JupyterHub.authenticator_class = 'dummy'\n"
PUBLIC_URL = "c.JupyterHub.public_url = 'https://hub.example.org/'\n"
OAUTH = (
    "from traitlets import Bool, Unicode\n"
    "from carrel.authenticators.base import Authenticator\n"
    "class OAuthenticator(Authenticator):\n"
    "    client_secret = Unicode().tag(config=True)\n"
    "    open_signup = Bool().tag(config=True)\n"
    "    login_service = Unicode('GitHub').tag(config=True)\n"
    "c.JupyterHub.authenticator_class = OAuthenticator\n"
)


def dangers(directory: Path, text: str, mode: int = 0o600) -> list[tuple[str, str]]:
    found = find_dangers(choose(directory, text, mode=mode)[0])
    assert all(problem.kind == "unsafe" and not problem.fatal for problem in found)
    return [(problem.setting, problem.message) for problem in found]


@pytest.mark.parametrize(
    "text",
    [
        LOCAL,
        LOCAL + DUMMY,
        LOCAL + DUMMY + "c.JupyterHub.spawner_class = 'simple'",
        PUBLIC_URL,
        LOCAL + OAUTH,
        LOCAL + "c.JupyterHub.authenticate_prometheus = False",
        "c.JupyterHub.bind_url = 'http://localhost:8000'",
        "c.JupyterHub.bind_url = 'http+unix://%2Frun%2Fhub.sock'",
    ],
)
def test_what_is_well(tmp_path: Path, text: str) -> None:
    assert dangers(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "setting", "words"),
    [
        (PUBLIC_URL + DUMMY, "JupyterHub.authenticator_class", "under any name, without a password"),
        (
            PUBLIC_URL + DUMMY + "c.Authenticator.admin_users = {'ada'}",
            "JupyterHub.authenticator_class",
            "under any name, also that of an administrator, without a password",
        ),
        (
            PUBLIC_URL + DUMMY + "c.DummyAuthenticator.password = 'x'",
            "JupyterHub.authenticator_class",
            "everybody has the same password",
        ),
        (
            PUBLIC_URL + "c.JupyterHub.spawner_class = 'simple'",
            "JupyterHub.spawner_class",
            "with the hub's own account",
        ),
        ("", "JupyterHub.ip", "cross the network unencrypted"),
        ("c.JupyterHub.bind_url = 'http://:80'", "JupyterHub.bind_url", "cross the network unencrypted"),
        (LOCAL + "c.JupyterHub.hub_ip = ''", "JupyterHub.hub_ip", "past the proxy"),
        (
            LOCAL + "c.JupyterHub.hub_bind_url = 'http://*:8081'",
            "JupyterHub.hub_bind_url",
            "past the proxy",
        ),
        (
            PUBLIC_URL + "c.JupyterHub.authenticate_prometheus = False",
            "JupyterHub.authenticate_prometheus",
            "everybody reads /hub/metrics",
        ),
        (
            LOCAL + OAUTH + "c.OAuthenticator.allow_all = True",
            "OAuthenticator.allow_all",
            "at GitHub is",
        ),
        (LOCAL + OAUTH + "c.OAuthenticator.open_signup = True", "OAuthenticator.open_signup", "signs up"),
        (LOCAL + "c.JupyterHub.cookie_secret = bytes(32)", "JupyterHub.cookie_secret", "anybody's"),
    ],
)
def test_what_is_unsafe(tmp_path: Path, text: str, setting: str, words: str) -> None:
    ((found, message),) = dangers(tmp_path, text)
    assert found == setting
    assert words in message


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("c.OAuthenticator.client_secret = 'hunter2hunter2'", "OAuthenticator.client_secret"),
        ("c.JupyterHub.services = [{'name': 'a', 'api_token': 'hunter2' * 5 or 'x'}]", ""),
        (
            "c.JupyterHub.services = [{'name': 'a', 'api_token': '0123456789abcdef'}]",
            "token of service a",
        ),
        ("c.JupyterHub.service_tokens = {'0123456789abcdef0': 'a'}", "API tokens"),
        ("c.CryptKeeper.keys = ['" + "0f" * 32 + "']", "CryptKeeper.keys"),
        ("c.JupyterHub.db_url = 'postgresql://ada:hunter2@db/hub'", "the database's password"),
        ("import os\nc.OAuthenticator.client_secret = os.environ.get('HOME', '') * 3", ""),
    ],
)
def test_a_secret_that_others_may_read(tmp_path: Path, line: str, named: str) -> None:
    text = LOCAL + OAUTH + line
    assert dangers(tmp_path, text, mode=0o600) == []
    found = dangers(tmp_path, text, mode=0o644)
    assert all(named in message and "everybody on this machine" in message for _, message in found)
    assert len(found) == bool(named)
    assert "hunter2" not in str(found)
    if named:
        assert "its group can read" in dangers(tmp_path, text, mode=0o640)[0][1]


def test_a_file_that_everybody_may_change(tmp_path: Path) -> None:
    ((_, message),) = dangers(tmp_path, LOCAL, mode=0o602)
    assert "everybody on this machine can change" in message
