"""The WSGI middleware and the Flask decorator, as a server calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import flask
import pytest
from auth_hub import PREFIX, MemoryHub, service
from werkzeug.test import Client, TestResponse

from carrel_client.flask import HubLogin
from carrel_client.wsgi import HubMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEALTH = f"{PREFIX}health"
TOKEN = {"Authorization": "token a"}


def _plain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    visitor = environ["carrel.visitor"]
    start_response("200 OK", [("X-Xsrf", environ["carrel.xsrf_token"])])
    return [(visitor.name if visitor else "nobody").encode() + b" " + environ["wsgi.input"].read()]


def _middleware(hub: MemoryHub) -> WSGIApplication:
    return HubMiddleware(_plain, service(hub), public=[HEALTH])


def _flask(hub: MemoryHub) -> WSGIApplication:
    app = flask.Flask(__name__)
    login = HubLogin(app, service(hub))

    @app.route(PREFIX, methods=["GET", "POST"])
    @login.required
    def page() -> Any:
        text = f"{login.visitor.name} {flask.request.get_data(as_text=True)}"
        return text, {"X-Xsrf": flask.g.hub_xsrf}

    @app.get(HEALTH)
    def health() -> str:
        return "nobody "

    return app


@pytest.fixture(params=[_middleware, _flask])
def client(request: pytest.FixtureRequest) -> Client:
    return Client(request.param(MemoryHub()))


def _log_in(client: Client) -> TestResponse:
    visit = client.get(f"{PREFIX}?a=b", headers={"Sec-Fetch-Mode": "navigate"})
    assert visit.status_code == 302
    state = visit.location.rpartition("state=")[2]
    done = client.get(f"{PREFIX}oauth_callback?code=a&state={state}")
    assert (done.status_code, done.location) == (302, f"{PREFIX}?a=b")
    return client.get(PREFIX)


def test_strangers_programs_and_public_pages(client: Client) -> None:
    assert client.get(HEALTH).text == "nobody "
    assert client.get(PREFIX, headers={"Accept": "application/json"}).status_code == 403
    assert client.get(PREFIX, headers=TOKEN).text == "alice "
    assert client.get(PREFIX, headers={"Authorization": "token b"}).status_code == 403
    assert client.head(PREFIX, headers={"Authorization": "token x"}).text == ""


def test_a_log_in_a_change_and_a_log_out(client: Client) -> None:
    page = _log_in(client)
    assert page.text == "alice "
    token = page.headers["X-Xsrf"]
    cookie = client.get_cookie("_xsrf", path=PREFIX)
    assert cookie is not None
    assert cookie.value == token
    assert client.post(PREFIX, data={"a": "b"}).status_code == 403
    assert client.post(PREFIX, data={"a": "b"}, headers={"X-XSRFToken": token}).status_code == 200
    assert client.post(PREFIX, data={"a": "b", "_xsrf": token}).status_code == 200
    left = client.get(f"{PREFIX}logout")
    assert (left.status_code, left.location) == (302, "/hub/logout")
    assert client.get(PREFIX).status_code == 302


def test_the_middleware_gives_the_form_to_the_application() -> None:
    client = Client(_middleware(MemoryHub()))
    token = _log_in(client).headers["X-Xsrf"]
    assert client.post(PREFIX, data={"a": "b", "_xsrf": token}).text == f"alice a=b&_xsrf={token}"


def test_a_view_with_scopes_of_its_own() -> None:
    app = flask.Flask(__name__)
    login = HubLogin(app, service(MemoryHub()))

    @app.get(PREFIX)
    @login.requires(["admin:board"])
    def page() -> str:
        return "secret"

    assert Client(app).get(PREFIX, headers=TOKEN).status_code == 403
