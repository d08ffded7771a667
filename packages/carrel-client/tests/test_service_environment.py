"""What the hub's environment says to a service, and what follows when it says little."""

from __future__ import annotations

import pytest

from carrel_client.auth import EnvironmentProblem, read_settings

LEAST = {
    "JUPYTERHUB_API_TOKEN": "t",
    "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api/",
    "JUPYTERHUB_SERVICE_NAME": "board",
}


def test_the_least_that_a_service_needs() -> None:
    settings = read_settings(LEAST)
    assert settings.api_url == "http://127.0.0.1:8081/hub/api"
    assert settings.client_id == "service-board"
    assert settings.prefix == "/services/board/"
    assert settings.callback_path == "/services/board/oauth_callback"
    assert settings.access_scopes == {"access:services!service=board"}
    assert settings.hub_url == "/hub/"


def test_what_is_said_counts() -> None:
    settings = read_settings(
        LEAST
        | {
            "JUPYTERHUB_CLIENT_ID": "service-other",
            "JUPYTERHUB_SERVICE_PREFIX": "/lab/services/board",
            "JUPYTERHUB_BASE_URL": "/lab/",
            "JUPYTERHUB_HOST": "https://hub.example",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": "https://board.example/lab/services/board/back",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:services"]',
        }
    )
    assert (settings.client_id, settings.prefix) == ("service-other", "/lab/services/board/")
    assert settings.callback_path == "/lab/services/board/back"
    assert settings.access_scopes == {"access:services"}
    assert settings.hub_url == "https://hub.example/lab/hub/"


def test_no_access_scopes_admit_nobody() -> None:
    assert read_settings(LEAST | {"JUPYTERHUB_OAUTH_ACCESS_SCOPES": "[]"}).access_scopes == frozenset()


@pytest.mark.parametrize("name", LEAST)
def test_what_is_missing_is_named(name: str) -> None:
    variables = {key: value for key, value in LEAST.items() if key != name}
    with pytest.raises(EnvironmentProblem, match=f"^{name} is not set"):
        read_settings(variables)


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(read_settings(LEAST | {"JUPYTERHUB_API_TOKEN": "secret"}))
