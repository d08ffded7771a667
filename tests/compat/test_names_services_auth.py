"""`jupyterhub.services.auth`: who may enter a service, by scopes and by the sets of old."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError, RequestHandler

from carrel.compat.imports import NAMES

ENVIRONMENT = {
    "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api",
    "JUPYTERHUB_API_TOKEN": "secret",
    "JUPYTERHUB_BASE_URL": "/base/",
    "JUPYTERHUB_SERVICE_PREFIX": "/base/services/board/",
    "JUPYTERHUB_CLIENT_ID": "service-board",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(["access:services!service=board"]),
}


@pytest.fixture
def auth(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, fresh, as in a service's process."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    place = NAMES / "jupyterhub" / "services" / "auth.py"
    spec = importlib.util.spec_from_file_location("auth_of_services", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Connection(HTTPConnection):
    context = None
    no_keep_alive = True

    def set_close_callback(self, callback: Any) -> None:
        return


def handler(kind: type[RequestHandler], headers: Mapping[str, str] | None = None) -> Any:
    """Return a handler of `kind` that was asked for the service's page."""
    request = HTTPServerRequest(
        headers=HTTPHeaders({"Host": "hub.test", **(headers or {})}),
        connection=_Connection(),
        start_line=RequestStartLine("GET", ENVIRONMENT["JUPYTERHUB_SERVICE_PREFIX"], "HTTP/1.1"),
    )
    return kind(Application(), request)


def test_it_is_told_all_by_the_environment(auth: ModuleType) -> None:
    hub = auth.HubOAuth()
    assert hub.access_scopes == {"access:services!service=board"}
    assert hub.hub_prefix == "/base/hub/"
    assert hub.oauth_redirect_uri == "/base/services/board/oauth_callback"
    assert hub.login_url == "/base/hub/api/oauth2/authorize?client_id=service-board"
    assert hub.oauth_token_url == "http://127.0.0.1:1/hub/api/oauth2/token"
    assert hub.settings.prefix == "/base/services/board/"


def test_one_wider_scope_is_enough(auth: ModuleType) -> None:
    asked = ["access:services!service=board", "read:users"]
    assert auth.check_scopes(asked, ["access:services"]) == {"access:services!service=board"}
    assert auth.check_scopes(asked, ["access:services!service=other"]) == set()


@pytest.mark.parametrize(
    ("held", "enters"), [("access:services!service=board", True), ("access:services", True), ("self", False)]
)
def test_scopes_decide(auth: ModuleType, held: str, enters: bool) -> None:
    page = handler(auth.HubOAuthenticated)
    model = {"name": "ada", "kind": "user", "scopes": [held], "admin": True}
    if enters:
        assert page.check_hub_user(model) == model
    else:
        with pytest.raises(auth.UserNotAllowed, match="user ada"):
            page.check_hub_user(model)


ADA = {"name": "ada", "kind": "user", "scopes": [], "groups": ["staff"], "admin": False}
BOT = {"name": "bot", "kind": "service", "scopes": [], "admin": False}


@pytest.mark.parametrize(
    ("sets", "model", "enters"),
    [
        ({}, ADA, True),
        ({"hub_users": {"ada"}}, ADA, True),
        ({"hub_users": {"bea"}}, ADA, False),
        ({"hub_groups": {"staff"}}, ADA, True),
        ({"hub_groups": {"students"}}, ADA, False),
        ({"allow_admin": True}, ADA, False),
        ({"allow_admin": True}, {**ADA, "admin": True}, True),
        ({"hub_users": {"bot"}}, BOT, False),
        ({"hub_services": {"bot"}}, BOT, True),
    ],
)
def test_without_scopes_the_sets_of_old_decide(
    auth: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    sets: dict[str, Any],
    model: dict[str, Any],
    enters: bool,
) -> None:
    monkeypatch.setenv("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "[]")
    page = handler(type("Page", (auth.HubAuthenticated,), sets))
    if enters:
        assert page.check_hub_user(dict(model)) == model
    else:
        with pytest.raises(auth.UserNotAllowed):
            page.check_hub_user(dict(model))


def test_a_stranger_is_sent_to_the_hub_and_back(auth: ModuleType) -> None:
    page = handler(auth.HubOAuthenticated)
    assert page.current_user is None
    assert page.get_login_url().startswith("/base/hub/api/oauth2/authorize?client_id=service-board&")
    assert "service-board-oauth-state" in page._new_cookie


def test_where_only_tokens_count_a_stranger_is_refused(auth: ModuleType) -> None:
    page = handler(auth.HubAuthenticated, {"Cookie": "service-board=anything"})
    assert page.current_user is None
    with pytest.raises(HTTPError) as refused:
        page.get_login_url()
    assert refused.value.status_code == 403


def test_a_token_in_a_header_is_found(auth: ModuleType) -> None:
    page = handler(auth.HubAuthenticated, {"Authorization": "token abc"})
    assert page.hub_auth.get_token(page) == "abc"
    assert handler(auth.HubAuthenticated).hub_auth.get_token(page) == "abc"


@pytest.mark.real
def test_while_the_hub_is_away_nobody_is_known(auth: ModuleType) -> None:
    page = handler(auth.HubOAuthenticated, {"Authorization": "token abc"})
    assert page.current_user is None
    with pytest.raises(HTTPError) as refused:
        page.get_login_url()
    assert refused.value.status_code == 502
