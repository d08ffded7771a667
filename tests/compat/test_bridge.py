"""Tornado handlers in the hub: what comes in, what goes out, what goes wrong. Real Tornado, no sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado import web, websocket

from carrel.authenticators.base import Authenticator
from carrel.compat.handlers.base import APIHandler, BaseHandler
from carrel.compat.handlers.login import LogoutHandler
from carrel.compat.plugin_pages import PluginPages
from carrel.compat.tornado_bridge import Bridge
from carrel.config.schema import BadConfig
from carrel.domain.errors import Forbidden
from tests.http.hub import Hub, open_hub


class Echo(BaseHandler):
    async def get(self, *groups: str) -> None:
        facts = (self.request.remote_ip, self.request.protocol, self.request.host, *groups)
        self.finish("|".join(map(str, (*facts, *self.get_arguments("a")))))

    async def post(self) -> None:
        self.finish(self.get_body_argument("a") + self.request.files["file"][0].body.decode())

    def check_xsrf_cookie(self) -> None:
        """Anybody may."""


class Stream(BaseHandler):
    async def get(self) -> None:
        for number in range(3):
            self.write(str(number))
            await self.flush()
        self.finish("!")


class Refused(BaseHandler):
    """Writes in pieces, and something is in the way of its answer."""

    ended: asyncio.Event

    async def get(self) -> None:
        self._before_reply(_refuse)
        self.write("a")
        self.flush()
        self.write("b")
        await self.flush()
        self.ended.set()


async def _refuse() -> None:
    raise Forbidden("Not today.")


class Cookies(BaseHandler):
    def get(self) -> None:
        had = self.get_signed_cookie("mark") or b"none"
        self._set_cookie("mark", "kept")
        self._set_cookie("plain", "seen", encrypted=False, httponly=False)
        self.finish(had)


class Raises(BaseHandler):
    def get(self) -> None:
        if self.get_argument("how") == "http":
            raise web.HTTPError(418, "No coffee at 100%% for %s", "you")
        raise ValueError("inner workings")


class Unmakeable(BaseHandler):
    def initialize(self, **kwargs: Any) -> None:
        raise ValueError("inner workings")


class Never(BaseHandler):
    left: asyncio.Event

    async def get(self) -> None:
        await asyncio.Event().wait()

    def on_connection_close(self) -> None:
        self.left.set()


class Socket(websocket.WebSocketHandler):
    """Wants the connection itself."""


class Json(APIHandler):
    def initialize(self, word: str = "") -> None:
        """As a plug-in's own, which does not call that of its base."""

    def post(self) -> None:
        self.set_status(201)
        self.finish({"name": self.current_user and self.current_user.name, "body": self.get_json_body()})


HANDLERS = [
    (r"/echo", Echo),
    (r"/echo/([^/]+)/([^/]+)", Echo),
    (r"/stream", Stream),
    (r"/refused", Refused),
    (r"/cookies", Cookies),
    (r"/raises", Raises),
    (r"/unmakeable", Unmakeable),
    (r"/never", Never),
    (r"/socket", Socket),
    (r"/json", Json),
    (r"/api/json", Json),
]


@asynccontextmanager
async def plugin_hub(directory: Path, handlers: Any = HANDLERS, **settings: Any) -> AsyncIterator[Hub]:
    async with open_hub(directory, extra_handlers=list(handlers), **settings) as hub:
        yield hub


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with plugin_hub(tmp_path) as hub:
        yield hub


def pages(hub: Hub) -> PluginPages:
    found = hub.app.wrapped
    assert isinstance(found, PluginPages)
    return found


async def test_a_handler_sees_the_visitor_whom_the_hub_sees(hub: Hub) -> None:
    forwarded = {"X-Forwarded-For": "6.6.6.6, 192.0.2.7", "X-Forwarded-Proto": "https"}
    async with hub.browser() as browser:
        answer = await browser.get("/hub/echo?a=1&a=%C3%A4", headers=forwarded)
        assert answer.text == "192.0.2.7|https|hub.example|1|ä"


async def test_parts_of_a_path_are_decoded_once_and_by_tornado(hub: Hub) -> None:
    async with hub.browser() as browser:
        assert (await browser.get("/hub/echo/a%2Fb/c%2520d")).text.endswith("|a/b|c%20d")


async def test_forms_with_files_arrive(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.post("/hub/echo", data={"a": "x"}, files={"file": ("f.txt", b"inside")})
        assert answer.text == "xinside"


async def test_pieces_of_an_answer_come_in_order(hub: Hub) -> None:
    async with hub.browser() as browser:
        assert (await browser.get("/hub/stream")).text == "012!"


async def test_answers_carry_the_hubs_headers_once(hub: Hub) -> None:
    async with hub.browser() as browser:
        headers = (await browser.get("/hub/echo")).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert not {"server", "date"} & set(headers)
    assert len(headers.get_list("x-request-id")) == 1


async def test_an_answer_that_has_not_changed_is_not_sent_again(hub: Hub) -> None:
    async with hub.browser() as browser:
        tag = (await browser.get("/hub/echo")).headers["etag"]
        again = await browser.get("/hub/echo", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")


async def test_heads_are_answered_without_a_body(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.head("/hub/echo")
        assert (answer.status_code, answer.content) == (200, b"")


async def test_cookies_of_plugins_are_signed_with_a_key_of_their_own(hub: Hub) -> None:
    async with hub.browser() as browser:
        first = await browser.get("/hub/cookies")
        assert first.text == "none"
        mark = next(line for line in first.headers.get_list("set-cookie") if line.startswith("mark="))
        assert "; HttpOnly" in mark
        assert "; Path=/" in mark
        assert (await browser.get("/hub/cookies")).text == "kept"
        # What is signed as one cookie is worth nothing as another, and the hub's own is none of these.
        value = browser.cookies["mark"]
        browser.cookies.set("jupyterhub-hub-login", value, path="/hub/")
        assert (await browser.get("/hub/home")).status_code == 302


async def test_errors_of_a_handler_look_like_the_hubs(hub: Hub) -> None:
    async with hub.browser() as browser:
        told = await browser.get("/hub/raises?how=http")
        assert told.status_code == 418
        assert "No coffee at 100% for you" in told.text
        assert "<!doctype html>" in told.text


async def test_a_bug_of_a_handler_is_logged_and_not_shown(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    async with hub.browser() as browser:
        for path in ("/hub/raises?how=bug", "/hub/unmakeable"):
            answer = await browser.get(path)
            assert answer.status_code == 500
            assert "inner workings" not in answer.text
            assert answer.headers["x-request-id"] in answer.text
    assert caplog.text.count("ValueError: inner workings") == 2


async def test_what_is_no_request_is_a_bad_one(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.get("/hub/echo", headers={"Host": "a b/c"})
        assert answer.status_code == 400


async def test_a_body_that_is_too_large_is_refused(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.post("/hub/echo", content=b"x" * (1024 * 1024 + 1))
        assert answer.status_code == 413


async def test_a_handler_that_wants_the_connection_is_refused(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with hub.browser() as browser:
        assert (await browser.get("/hub/socket", headers=upgrade)).status_code == 501


async def test_a_handler_that_never_answers_is_given_up(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    Never.left = asyncio.Event()
    pages(hub)._bridge = Bridge(pages(hub).tornado, patience=0.01)
    async with hub.browser() as browser:
        answer = await browser.get("/hub/never")
    assert answer.status_code == 503
    assert "This page took too long" in answer.text
    assert Never.left.is_set()
    assert "tests.compat.test_bridge.Never has not answered within 0.01 seconds" in caplog.text


async def test_a_handler_that_is_answered_for_does_not_wait_for_its_own_answer(hub: Hub) -> None:
    Refused.ended = asyncio.Event()
    async with hub.browser() as browser:
        answer = await browser.get("/hub/refused")
    assert (answer.status_code, "Not today." in answer.text) == (403, True)
    await asyncio.wait_for(Refused.ended.wait(), 10)


async def test_a_handler_is_told_when_the_visitor_leaves(hub: Hub) -> None:
    Never.left = asyncio.Event()
    began = asyncio.Event()
    messages = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        began.set()
        return next(messages)

    async def send(message: Any) -> None:
        raise AssertionError(f"nobody is there for {message}")

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/hub/never",
        "raw_path": b"/hub/never",
        "query_string": b"",
        "headers": [(b"host", b"hub.example")],
        "scheme": "http",
        "client": ("127.0.0.1", 1),
    }
    await hub.app(scope, receive, send)
    await asyncio.wait_for(Never.left.wait(), 10)


async def test_places_for_programs_take_tokens_and_no_bare_cookie(hub: Hub) -> None:
    token = await hub.token("ada")
    async with hub.browser() as browser:
        for path in ("/hub/json", "/hub/api/json"):
            headers = {"Authorization": f"token {token}"}
            known = await browser.post(path, json={"n": 1}, headers=headers)
            assert (known.status_code, known.json()) == (201, {"name": "ada", "body": {"n": 1}})
            assert (await browser.post(path, json=None)).json() == {"name": None, "body": None}
        await browser.log_in("ada")
        for path in ("/hub/json", "/hub/api/json"):
            assert (await browser.post(path, json={})).json()["name"] is None
            with_token = {"X-XSRFToken": await browser.xsrf("/hub/token")}
            assert (await browser.post(path, json={}, headers=with_token)).json()["name"] == "ada"


async def test_what_is_no_json_is_told_as_json(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.post("/hub/json", content=b"{")
        assert (answer.status_code, answer.json()) == (
            400,
            {"status": 400, "message": "Invalid JSON in body of request"},
        )


async def test_handlers_of_plugins_come_before_the_hubs_pages(tmp_path: Path) -> None:
    class Home(BaseHandler):
        def get(self) -> None:
            self.finish("mine")

    async with plugin_hub(tmp_path, [(r"/home", Home)], base_url="/a.b/") as hub, hub.browser() as browser:
        assert (await browser.get("/a.b/hub/home")).text == "mine"
        # The base URL is no pattern, and what follows a pattern is another address.
        assert (await browser.get("/axb/hub/home")).status_code == 404
        assert (await browser.get("/a.b/hub/home/more")).status_code == 404
        assert (await browser.get("/a.b/hub/login")).status_code == 200


async def test_tornados_own_form_of_an_entry_will_do(tmp_path: Path) -> None:
    entries = [web.url("/echo/(.*)", Echo, name="echo"), ("other", Echo)]
    async with plugin_hub(tmp_path, entries) as hub, hub.browser() as browser:
        assert (await browser.get("/hub/echo/x")).text.endswith("|x")
        assert (await browser.get("/hub/other")).status_code == 200
        assert (await browser.get("/hub/others")).status_code == 404


@pytest.mark.parametrize("entry", ["/echo", ("/echo",), (1, Echo), ("/echo", "Echo"), None, ()])
async def test_what_is_no_entry_is_told(tmp_path: Path, entry: Any) -> None:
    with pytest.raises(BadConfig, match=r"JupyterHub.extra_handlers: .* is no handler"):
        async with plugin_hub(tmp_path, [entry]):
            """It does not come to that."""


async def test_tracebacks_are_never_shown(tmp_path: Path) -> None:
    settings = {"tornado_settings": {"debug": True, "serve_traceback": True, "mine": "kept"}}
    async with plugin_hub(tmp_path, **settings) as hub, hub.browser() as browser:
        assert "ValueError" not in (await browser.get("/hub/raises?how=bug")).text
        assert pages(hub).tornado.settings["mine"] == "kept"


async def test_no_application_is_made_without_handlers(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub:
        assert not isinstance(hub.app.wrapped, PluginPages)


async def test_a_request_has_one_line_in_the_log(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with hub.browser() as browser:
        await browser.get("/hub/echo")
    assert caplog.text.count(" GET /hub/echo ") == 1


class SignOutElsewhere(LogoutHandler):
    async def render_logout_page(self) -> None:
        self.redirect(str(self.get_argument("to")))


@pytest.mark.parametrize(
    ("to", "status", "refresh"),
    [("https://id.example/end", 200, "0; url=https://id.example/end"), ("/hub/login", 302, None)],
)
async def test_signing_out_leads_to_other_sites_where_browsers_let_no_form_lead(
    tmp_path: Path, to: str, status: int, refresh: str | None
) -> None:
    address = f"/hub/logout?to={to}"
    async with plugin_hub(tmp_path, [(r"/logout", SignOutElsewhere)]) as hub, hub.browser() as browser:
        await browser.log_in()
        left = await browser.post(address, data={"_xsrf": await browser.xsrf("/hub/home")})
        assert (left.status_code, left.headers.get("refresh")) == (status, refresh)
        assert (await browser.get("/hub/home")).status_code == 302
        assert (await browser.get(address)).headers["location"] == to


class Museum(Authenticator):
    async def authenticate(self, handler: Any, data: Any) -> str:
        return "museum:bob"


class AtTheMuseum(BaseHandler):
    authenticator = Museum(allowed_users={"museum:bob"})

    async def get(self) -> None:
        user = await self.login_user()
        self.finish(user.name if user else "nobody")


async def test_a_handler_may_have_an_authenticator_of_its_own(tmp_path: Path) -> None:
    async with plugin_hub(tmp_path, [(r"/museum", AtTheMuseum)]) as hub, hub.browser() as browser:
        assert (await browser.get("/hub/museum")).text == "museum:bob"
        assert "museum:bob" in (await browser.get("/hub/home")).text
