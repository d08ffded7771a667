"""What handlers of plug-ins can do: sign people in and out, know who asks, and look like the hub's pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tornado import web

from carrel.authenticators.base import Authenticator
from carrel.compat.handlers.login import LoginHandler
from carrel.core.runs import build_driver, load_owner
from carrel.core.tokens import new_record
from carrel.domain.servers import Actual, Wanted
from carrel.lib.ids import new_token
from tests.compat.plugin_handlers import HANDLERS, Redirecting, plugin_hub
from tests.http.hub import HOST, PASSWORD, Browser, Hub
from tests.lib.test_urls import REFUSED


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with plugin_hub(tmp_path, Redirecting()) as hub:
        yield hub


async def who(browser: Browser) -> Any:
    return (await browser.get("/hub/who")).json()["user"]


async def sessions(hub: Hub, name: str) -> int:
    async with hub.ctx.store.read() as tx:
        user = await tx.users.get(name)
        return 0 if user is None else len(await tx.sessions.of_user(user.id))


# -- signing in --------------------------------------------------------------------------------------------


async def test_who_signs_in_by_a_handler_is_signed_in_at_the_hub(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.get("/hub/back?next=/hub/token")
        assert (answer.status_code, answer.headers["location"]) == (302, "/hub/token")
        assert await who(browser) == ["ada", False, [], "/user/ada/", "user"]
        assert "ada" in (await browser.get("/hub/token")).text


async def test_all_that_the_authenticator_says_is_kept(hub: Hub) -> None:
    authenticator = hub.ctx.authenticator
    assert isinstance(authenticator, Redirecting)
    authenticator.manage_groups = True
    authenticator.answer = {"name": "Ada", "admin": True, "groups": ["b", "a"]}
    async with hub.browser() as browser:
        await browser.get("/hub/back")
        assert await who(browser) == ["ada", True, ["a", "b"], "/user/ada/", "user"]


async def test_who_may_not_come_in_is_refused_as_the_plugin_says_it(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.ctx.authenticator.blocked_users = {"ada"}
    async with hub.browser() as browser:
        answer = await browser.get("/hub/back")
        assert (answer.status_code, "Not you" in answer.text) == (403, True)
        assert await who(browser) is None
    assert "Log-in from 127.0.0.1 refused: ada was refused: blocked" in caplog.text
    assert await sessions(hub, "ada") == 0


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (web.HTTPError(401, "The provider says no"), 401, "The provider says no"),
        (ValueError("secret innards"), 500, "Something went wrong"),
    ],
)
async def test_what_the_authenticator_raises_is_answered(
    hub: Hub, error: Exception, status: int, told: str
) -> None:
    authenticator = hub.ctx.authenticator
    assert isinstance(authenticator, Redirecting)
    authenticator.answer = error
    async with hub.browser() as browser:
        answer = await browser.get("/hub/back")
        assert answer.status_code == status
        assert "innards" not in answer.text


async def test_a_second_log_in_ends_the_first(hub: Hub) -> None:
    async with hub.browser() as browser:
        for _ in range(2):
            await browser.get("/hub/back")
        assert await sessions(hub, "ada") == 1


async def test_cookies_given_twice_are_one_session(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.get("/hub/old")
        assert "Hello ada" in answer.text
        assert (
            sum(line.startswith("jupyterhub-hub-login=") for line in answer.headers.get_list("set-cookie"))
            == 1
        )
        assert (await who(browser))[0] == "ada"
    assert await sessions(hub, "ada") == 1


async def test_a_header_can_be_believed(hub: Hub) -> None:
    async with hub.browser() as browser:
        for name in ("new", "new", "old"):
            await hub.user("old")
            await browser.get("/hub/remote", headers={"Remote-User": name})
            assert (await who(browser))[0] == name
    assert (await sessions(hub, "new"), await sessions(hub, "old")) == (0, 1)


async def test_what_the_authenticator_keeps_stays_when_a_handler_signs_somebody_in(hub: Hub) -> None:
    user = await hub.user("old")
    async with hub.ctx.store.write() as tx:
        await tx.users.set_auth_state(user.id, "sealed")
    async with hub.browser() as browser:
        await browser.get("/hub/remote", headers={"Remote-User": "old"})
    async with hub.ctx.store.read() as tx:
        assert await tx.users.get_auth_state(user.id) == "sealed"


@pytest.mark.parametrize("trap", REFUSED)
async def test_the_log_in_never_leads_away(hub: Hub, trap: str) -> None:
    async with hub.browser() as browser:
        answer = await browser.get("/hub/back", params={"next": trap})
        # One of them names this very host, which is no harm.
        assert answer.headers["location"] in {"/hub/spawn", "/hub/home"}


async def test_other_arguments_travel_along_to_the_default_page(hub: Hub) -> None:
    async with hub.browser() as browser:
        answer = await browser.get("/hub/back?a=1&_xsrf=x&b=%26")
        assert answer.headers["location"] == "/hub/spawn?a=1&b=%26"


async def test_the_hubs_page_leads_to_the_plugins_log_in(hub: Hub) -> None:
    async with hub.browser() as browser:
        shown = await browser.get("/hub/login?next=/hub/token")
        assert 'href="/hub/back?next=/hub/token"' in shown.text
        hub.ctx.authenticator.auto_login = True
        sent = await browser.get("/hub/login?next=/hub/token")
        assert sent.headers["location"] == "/hub/back?next=/hub/token"


async def test_who_comes_from_an_application_may_go_straight_there(hub: Hub) -> None:
    path = "/hub/api/oauth2/authorize?client_id=x&redirect_uri=/y"
    async with hub.browser() as browser:
        assert (await browser.get(path)).headers["location"].startswith("/hub/login?next=")
        hub.ctx.authenticator.auto_login_oauth2_authorize = True
        sent = (await browser.get(path)).headers["location"]
        assert sent.startswith("/hub/back?next=/hub/api/oauth2/authorize")


class Arriving(Authenticator):
    """Reads who somebody is from the request of the hub's own log-in page."""

    allow_all = True

    async def authenticate(self, handler: Any, data: Any) -> Any:
        handler.set_cookie("met", "yes", httponly=True)
        return handler.request.headers.get("Remote-User")


async def test_the_request_may_say_who_it_is(tmp_path: Path) -> None:
    authenticator = Arriving(auto_login=True)
    async with plugin_hub(tmp_path, authenticator) as hub, hub.browser() as browser:
        refused = await browser.get("/hub/login")
        assert refused.status_code == 403
        answer = await browser.get("/hub/login?next=/hub/token", headers={"Remote-User": "ada"})
        assert answer.headers["location"] == "/hub/token"
        assert (await who(browser))[0] == "ada"
        # What the authenticator sets on the handler is in the hub's own answer.
        met = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("met="))
        assert "HttpOnly" in met


async def test_the_form_fields_are_the_handlers_arguments(tmp_path: Path) -> None:
    class Looking(Authenticator):
        allow_all = True

        def authenticate(self, handler: Any, data: Any) -> Any:
            assert handler.get_argument("extra") == handler.get_body_argument("extra") == data["extra"]
            assert handler.current_user is None
            assert handler.request.remote_ip == "127.0.0.1"
            handler.set_header("X-Seen", "yes")
            return data["username"]

    async with plugin_hub(tmp_path, Looking()) as hub, hub.browser() as browser:
        answer = await browser.log_in("ada", extra="x")
        assert (answer.status_code, answer.headers["x-seen"]) == (302, "yes")


# -- signing out -------------------------------------------------------------------------------------------


async def test_a_plugins_log_out_ends_the_session(hub: Hub) -> None:
    async with hub.browser() as browser:
        await browser.get("/hub/back")
        kept = dict(browser.cookies)
        answer = await browser.post("/hub/logout", data={"_xsrf": await browser.xsrf("/hub/home")})
        assert "You are signed out" in answer.text
        assert await who(browser) is None
        browser.cookies.update(kept)
        assert await who(browser) is None


async def test_a_form_leads_to_another_site_by_a_page_that_its_policy_allows(hub: Hub) -> None:
    async with hub.browser() as browser:
        await browser.get("/hub/login")
        form = {"_xsrf": browser.cookies["_xsrf"]}
        program = await browser.post("/hub/onward", data=form)
        assert program.headers["location"] == "https://provider.example/end?a=1&b=2"
        shown = await browser.post("/hub/onward", data=form, headers={"Origin": f"http://{HOST}"})
        assert shown.status_code == 200
        assert 'content="0;url=https://provider.example/end?a=1&amp;b=2"' in shown.text


async def test_another_sites_link_has_to_be_confirmed(hub: Hub) -> None:
    async with hub.browser() as browser:
        await browser.get("/hub/back")
        await browser.get("/hub/logout", headers={"Sec-Fetch-Site": "cross-site"})
        assert (await who(browser))[0] == "ada"
        assert (await browser.post("/hub/logout", data={"_xsrf": "x"})).status_code == 403
        assert (await who(browser))[0] == "ada"
        await browser.get("/hub/logout")
        assert await who(browser) is None


# -- the log-in form ---------------------------------------------------------------------------------------


async def test_the_forms_handler_does_what_the_hubs_page_does(tmp_path: Path) -> None:
    handlers = [*HANDLERS, ("/login", LoginHandler)]
    async with plugin_hub(tmp_path, extra_handlers=handlers) as hub, hub.browser() as browser:
        wrong = await browser.log_in("ada", "wrong", next="/hub/token")
        assert (wrong.status_code, "Invalid username or password" in wrong.text) == (403, True)
        assert 'value="ada"' in wrong.text
        right = await browser.log_in("ada", PASSWORD, next="/hub/token")
        assert right.headers["location"] == "/hub/token"
        assert (await browser.get("/hub/login?next=/hub/token")).headers["location"] == "/hub/token"
        stale = await browser.post("/hub/login", data={"username": "ada", "password": PASSWORD})
        assert (stale.status_code, "Try again" in stale.text) == (403, True)


async def test_a_form_is_rendered_by_a_plugin_of_few_arguments(tmp_path: Path) -> None:
    class Few(LoginHandler):
        def _render(self, login_error: Any = None, username: Any = None) -> Any:  # type: ignore[override]
            return f"{login_error}|{username}|{self.xsrf_token.decode()}"

    async with plugin_hub(tmp_path, extra_handlers=[("/login", Few)]) as hub, hub.browser() as browser:
        token = (await browser.get("/hub/login")).text.rpartition("|")[2]
        answer = await browser.post("/hub/login", data={"username": "ada", "password": "x", "_xsrf": token})
        assert answer.text.startswith("Invalid username or password|ada|")


# -- who may ask -------------------------------------------------------------------------------------------


async def test_scopes_say_who_may_ask(hub: Hub) -> None:
    async with hub.browser() as browser:
        asked = await browser.get("/hub/guarded")
        assert asked.headers["location"] == "/hub/login?next=%2Fhub%2Fguarded"
        assert (await browser.get("/hub/admins")).status_code == 302
        await browser.get("/hub/back")
        assert (await browser.get("/hub/guarded")).status_code == 403
        assert (await browser.get("/hub/admins")).status_code == 403
        # Of oneself one may read, and of nobody else.
        form = {"_xsrf": await browser.xsrf("/hub/home")}
        assert (await browser.post("/hub/guarded/ada", data=form)).text == "ada"
        assert (await browser.post("/hub/guarded/bea", data=form)).status_code == 404
        assert (await browser.post("/hub/admins", data=form)).text == "for people"
    async with hub.browser() as browser:
        await hub.user("root", admin=True)
        await browser.get("/hub/remote", headers={"Remote-User": "root"})
        for page in ("/hub/guarded", "/hub/admins"):
            assert (await browser.get(page)).text == "for admins"


async def test_strangers_are_refused_where_no_page_is(hub: Hub) -> None:
    async with hub.browser() as browser:
        await browser.get("/hub/login")
        form = {"_xsrf": browser.cookies["_xsrf"]}
        refused = await browser.post("/hub/admins", data=form)
        assert (refused.status_code, "Missing or invalid credentials" in refused.text) == (403, True)
        sent = await browser.get("/hub/authenticated?a=1")
        assert sent.headers["location"] == "/hub/login?next=%2Fhub%2Fauthenticated%3Fa%3D1"


async def test_people_are_found_by_name_and_removed_by_who_may(hub: Hub) -> None:
    await hub.user("root", admin=True)
    await hub.user("bea")
    async with hub.browser() as browser:
        assert (await browser.get("/hub/people/bea")).json() == {
            "found": "bea",
            "known": True,
            "all": ["root", "bea"],
        }
        assert (await browser.get("/hub/people/nobody")).json()["found"] is None
        await browser.get("/hub/back")
        form = {"_xsrf": await browser.xsrf("/hub/home")}
        assert (await browser.post("/hub/people/bea", data=form)).status_code == 403
        await browser.get("/hub/remote", headers={"Remote-User": "root"})
        form = {"_xsrf": await browser.xsrf("/hub/home")}
        assert (await browser.post("/hub/people/bea", data=form)).text == "deleted"
        assert (await browser.get("/hub/people/bea")).json()["known"] is False


async def test_a_server_tells_its_live_spawner_where_it_is(hub: Hub) -> None:
    row = await hub.server("ada", wanted=Wanted.RUNNING, actual=Actual.STARTING)
    driver = build_driver(hub.ctx, row, await load_owner(hub.ctx, row))
    user, driver.api_token = await hub.user("ada"), new_token()
    async with hub.ctx.store.write() as tx:
        await tx.tokens.add(new_record(user, driver.api_token, ("inherit",), now=hub.clock.now()))
    headers = {"Authorization": f"token {driver.api_token}"}
    async with hub.browser() as browser:
        hub.ctx.live.keep(row, driver)
        answer = await browser.post("/hub/api/start", json={"port": 4711}, headers=headers)
        # The status that is set when all is said comes too late, as under JupyterHub.
        assert (answer.status_code, answer.json(), driver.port) == (200, {"message": "thanks"}, 4711)
        hub.ctx.live.forget(row.id)
        gone = await browser.post("/hub/api/start", json={"port": 1}, headers=headers)
        assert (gone.status_code, driver.port) == (500, 4711)
        nobody = await browser.post("/hub/api/start", json={"port": 1})
        assert (nobody.status_code, nobody.json()["status"]) == (403, 403)


# -- pages -------------------------------------------------------------------------------------------------

MINE = """{% extends "templates/page.html" %}
{% block main %}<p id="own">{{ own }}</p><script>1</script><script nonce="mine">2</script>{% endblock %}
"""


async def test_pages_are_the_hubs_with_scripts_that_may_run(tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text(MINE)
    settings = {"template_paths": ["."], "template_vars": {"announcement": "Down at noon"}}
    async with plugin_hub(tmp_path, Redirecting(), **settings) as hub, hub.browser() as browser:
        await browser.get("/hub/back")
        answer = await browser.get("/hub/page")
        assert '<p id="own">&lt;b&gt;</p>' in answer.text
        assert "Down at noon" in answer.text
        assert 'class="name">ada<' in answer.text
        policy = answer.headers["content-security-policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert nonce
        assert re.search(rf'<script nonce="?{nonce}"?>1', answer.text)
        assert '<script nonce="mine">2' in answer.text


async def test_a_database_that_nobody_else_can_open_is_no_database_of_plugins(tmp_path: Path) -> None:
    async with plugin_hub(tmp_path, db_url="sqlite://") as hub, hub.browser() as browser:
        assert (await browser.get("/hub/people/ada")).status_code == 500
