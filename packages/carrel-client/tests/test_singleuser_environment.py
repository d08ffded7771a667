"""What the hub's environment means, and how a broken one is told."""

from __future__ import annotations

import pytest
from singleuser_fakehub import ACCESS, SERVER_TOKEN, FakeHub
from singleuser_process import hub_environment

from carrel_client.auth.environment import EnvironmentProblem
from carrel_client.singleuser.environment import HubEnvironment, read_environment


def given(**more: str) -> dict[str, str]:
    return hub_environment(FakeHub(port=8081), 8888, **more)


def test_a_whole_environment() -> None:
    environment = read_environment(given(JUPYTERHUB_BASE_URL="/lab-house/", JUPYTERHUB_DEBUG="1"))
    assert (environment.ip, environment.port, environment.prefix) == ("127.0.0.1", 8888, "/user/alice/")
    assert environment.hub_url == "http://127.0.0.1:8081/lab-house/hub/"
    assert environment.access_scopes == frozenset(ACCESS)
    assert environment.activity_interval == 300
    assert environment.debug
    assert not environment.disable_user_config
    assert environment.websocket_cookie_auth


def test_the_token_is_not_shown() -> None:
    assert SERVER_TOKEN not in repr(read_environment(given()))


def test_old_names_and_defaults() -> None:
    variables = given(JUPYTERHUB_OAUTH_SCOPES='["access:servers!user=alice"]')
    for name in ("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_OAUTH_CALLBACK_URL", "JUPYTERHUB_HOST"):
        del variables[name]
    environment = read_environment(variables)
    assert environment.access_scopes == {"access:servers!user=alice"}
    assert environment.callback_url == "/user/alice/oauth_callback"
    assert environment.hub_url == "/hub/"


@pytest.mark.parametrize(
    ("url", "ip", "port"),
    [
        ("http://0.0.0.0:8888/user/a/", "0.0.0.0", 8888),
        ("http://:8888/user/a/", "", 8888),
        ("http://[::1]:8888/user/a/", "::1", 8888),
        ("https://10.0.0.1/user/a/", "10.0.0.1", 443),
        ("http://10.0.0.1:0/", "10.0.0.1", 0),
    ],
)
def test_where_it_listens(url: str, ip: str, port: int) -> None:
    environment = read_environment(given(JUPYTERHUB_SERVICE_URL=url))
    assert (environment.ip, environment.port) == (ip, port)


@pytest.mark.parametrize(
    "name",
    [
        "JUPYTERHUB_API_TOKEN",
        "JUPYTERHUB_API_URL",
        "JUPYTERHUB_CLIENT_ID",
        "JUPYTERHUB_SERVICE_PREFIX",
        "JUPYTERHUB_SERVICE_URL",
        "JUPYTERHUB_USER",
    ],
)
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_variable_is_named(name: str, empty: bool) -> None:
    variables = given()
    del variables[name]
    if empty:
        variables[name] = ""
    with pytest.raises(EnvironmentProblem, match=f"^{name} is not set.*started by a hub"):
        read_environment(variables)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUPYTERHUB_SERVICE_URL", "127.0.0.1:8888"),
        ("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:many/"),
        ("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "access:servers"),
        ("JUPYTERHUB_OAUTH_ACCESS_SCOPES", '"access:servers"'),
        ("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "[1]"),
        ("JUPYTERHUB_ACTIVITY_INTERVAL", "often"),
        ("JUPYTERHUB_ACTIVITY_INTERVAL", "-1"),
        ("JUPYTERHUB_ACTIVITY_INTERVAL", "nan"),
        ("JUPYTERHUB_COOKIE_OPTIONS", "[]"),
        ("JUPYTERHUB_COOKIE_OPTIONS", '{"SameSight": "Lax"}'),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(EnvironmentProblem, match=f"^{name} is malformed: "):
        read_environment(given(**{name: value}))


def test_cookie_options_never_open_the_cookie_to_scripts() -> None:
    options = '{"SameSite": "None", "Secure": true, "HttpOnly": false}'
    environment = read_environment(given(JUPYTERHUB_COOKIE_OPTIONS=options))
    assert environment.cookie_options == {"samesite": "None", "secure": True}


def test_internal_tls_needs_all_its_files() -> None:
    files = {"JUPYTERHUB_SSL_KEYFILE": "k.pem", "JUPYTERHUB_SSL_CERTFILE": "c.pem"}
    with pytest.raises(EnvironmentProblem, match="JUPYTERHUB_SSL_CLIENT_CA is not set"):
        read_environment(given(**files))
    whole: HubEnvironment = read_environment(given(**files, JUPYTERHUB_SSL_CLIENT_CA="ca.pem"))
    assert whole.tls is not None
    assert (whole.tls.keyfile, whole.tls.certfile, whole.tls.client_ca) == ("k.pem", "c.pem", "ca.pem")
