"""Deployers' templates as they were written for JupyterHub: each directory of `overrides` is one site's."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.core.auth_state import keep_auth_state
from carrel.lib.sealing import Sealer
from carrel.web.render import Renderer
from carrel.web.template_check import check_templates
from tests.http.hub import PASSWORD, Browser, Hub, open_hub
from tests.web.test_oauth_page import ASK, run_server
from tests.web.test_server_pages import FAILED, OPTIONS, RUNNING, STOPPING
from tests.web.test_shares import invitation

SITES = Path(__file__).parent / "overrides"
POLICY = "content-security-policy"
LOGIN = '{% extends "templates/login.html" %}\n'


@asynccontextmanager
async def open_site(directory: Path, site: str | Path, **settings: Any) -> AsyncIterator[tuple[Hub, Browser]]:
    """Yield a hub with a site's templates, where unknown variables are empty as they are for deployers."""
    async with (
        open_hub(directory, template_paths=[str(SITES / site)], **settings) as hub,
        hub.browser() as browser,
    ):
        hub.app.wrapped.state.pages = Renderer(hub.ctx.settings)  # type: ignore[attr-defined]
        yield hub, browser


@pytest.mark.parametrize("site", sorted(path.name for path in SITES.iterdir()))
async def test_nothing_is_wrong_with_any_of_them(tmp_path: Path, site: str) -> None:
    async with open_site(tmp_path, site) as (hub, _):
        assert check_templates(hub.ctx.settings) == []


async def test_a_university_s_log_in_page(tmp_path: Path) -> None:
    async with open_site(tmp_path, "university") as (_, browser):
        page = await browser.get("/hub/login")
        for text in ("<title>Sign in · Example University</title>", "Write to IT", 'id="password_input"'):
            assert text in page.text
        assert "style-src 'self' 'unsafe-inline' https:" in page.headers[POLICY]
        assert "'unsafe-inline'" not in page.headers[POLICY].partition("style-src")[0]
        assert (await browser.log_in()).status_code == 302


async def test_a_frame_with_links_and_a_foot(tmp_path: Path) -> None:
    variables = {"motto": "since <1960>"}
    async with open_site(tmp_path, "frame", template_vars=variables) as (hub, browser):
        stranger = (await browser.get("/hub/login")).text
        for text in (">Help</a>", ">Status</a>", 'class="jpy-logo"', "since &lt;1960&gt;", "nobody"):
            assert text in stranger
        assert "Classes" not in stranger
        await hub.user("root", admin=True)
        await browser.log_in("root")
        home = (await browser.get("/hub/home")).text
        for text in (">Help</a>", ">Tokens</a>", ">Classes</a>", "Start My Server", 'id="logout"'):
            assert text in home


async def test_an_own_form_before_the_start(tmp_path: Path) -> None:
    async with open_site(tmp_path, "spawning", plugins=OPTIONS) as (hub, browser):
        await browser.log_in()
        page = (await browser.get("/hub/spawn")).text
        assert "Choose your machine" in page
        assert 'name="size"' in page
        action = re.search(r'id="spawn_form" action="([^"]*)"', page)
        assert action is not None
        # Such a form has no field for the token: its address has it.
        wrong = await browser.post(action[1], data={"size": "small"})
        assert wrong.status_code == 400
        assert "Error: There is only &lt;big&gt;" in wrong.text
        assert (await browser.post("/hub/spawn/ada", data={"size": "big"})).status_code == 403
        started = await browser.post(action[1], data={"size": "big"})
        assert started.headers["location"] == "/hub/spawn-pending/ada"
        pending = (await browser.get("/hub/spawn-pending/ada")).text
        assert "Hello ada, your server is on its way to /hub/api/users/ada/server/progress" in pending
        await hub.server("ada", **FAILED)
        failed = (await browser.get("/hub/user/ada/lab")).text
        assert "Your machine sleeps" in failed
        assert "It could not be woken: It &lt;b&gt;ended" in failed
        assert 'href="/hub/spawn/ada"' in failed


async def test_own_errors(tmp_path: Path) -> None:
    async with open_site(tmp_path, "errors") as (_, browser):
        lost = await browser.get("/hub/nothing")
        assert lost.status_code == 404
        assert "Lost?" in lost.text
        assert "555-0100" not in lost.text
        broken = await browser.get("/hub/error/503")
        assert broken.status_code == 503
        assert "Oh dear: 503 Service Unavailable" in broken.text
        assert "555-0100" in broken.text


async def test_own_scripts_have_the_nonce_and_what_a_page_prints_never_does(tmp_path: Path) -> None:
    async with open_site(tmp_path, "lively") as (_, browser):
        page = await browser.get("/hub/login")
        scripts = re.findall(r"<script\b([^>]*)>", page.text)
        nonces = {found[1] for each in scripts if (found := re.search(r"nonce=(\S+)", each))}
        assert len(scripts) >= 3
        assert len(nonces) == 1
        assert all("nonce=" in each for each in scripts)
        policy = page.headers[POLICY]
        assert f"script-src 'self' 'nonce-{nonces.pop()}' 'strict-dynamic';" in policy
        assert "script-src-attr 'unsafe-hashes' 'sha256-" in policy
        wrong = await browser.log_in("<script>alert(1)</script>", "wrong")
        assert "&lt;script&gt;alert" in wrong.text
        assert "nonce=" not in wrong.text.partition("&lt;script&gt;alert")[2][:40]


async def test_a_home_page_copied_from_jupyterhub(tmp_path: Path) -> None:
    opened = open_site(tmp_path, "copied", allow_named_servers=True, named_server_limit_per_user=3)
    async with opened as (hub, browser):
        await hub.group("physics", "ada")
        await browser.log_in()
        server = await hub.server("ada", "gpu", **RUNNING)
        hub.ctx.activity.server(server.id, 1_700_000_000.0)
        home = (await browser.get("/hub/home")).text
        for text in (
            'href="/hub/spawn/ada"',
            "Start",
            "3 named servers",
            'href="/user/ada/gpu/"',
            "2023-11-14T22:13:20Z</td>",
            "<li>physics</li>",
            "/hub/token False /user/ada/ ada",
            'data-user="ada"',
        ):
            assert text in home
        assert 'id="stop"' not in home
        await hub.server("ada", **RUNNING)
        home = (await browser.get("/hub/home")).text
        assert 'id="start" role="button" class="btn btn-lg btn-primary" href="/user/ada/"' in home
        assert 'id="stop"' in home


@pytest.mark.parametrize("own", [True, False])
async def test_a_log_in_page_copied_from_jupyterhub(tmp_path: Path, own: bool) -> None:
    variables = {"announcement": "<b>all</b>"} | ({"announcement_login": "<i>exam</i>"} if own else {})
    authenticator = DummyAuthenticator(password=PASSWORD, request_otp=True, otp_prompt="Code")
    opened = open_site(tmp_path, "copied", template_vars=variables, authenticator=authenticator)
    async with opened as (_, browser):
        page = (await browser.get("/hub/login?next=/hub/token")).text
        assert 'action="/hub/login?next=/hub/token"' in page
        assert '<label for="otp_input">Code</label>' in page
        assert ("<i>exam</i>" in page, "<b>all</b>" in page) == (own, not own)
        token = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert token is not None
        fields = {"username": "ada", "password": PASSWORD, "_xsrf": token[1]}
        sent = await browser.post("/hub/login?next=/hub/token", data=fields)
        assert sent.headers["location"] == "/hub/token"
    async with open_site(tmp_path, "copied") as (_, browser):
        token = re.search(r'name="_xsrf" value="([^"]+)"', (await browser.get("/hub/login")).text)
        assert token is not None
        wrong = await browser.post("/hub/login", data={**fields, "password": "wrong", "_xsrf": token[1]})
        assert '<p class="login_error">Invalid username or password</p>' in wrong.text


async def test_small_texts_on_every_other_page(tmp_path: Path) -> None:
    async with open_site(tmp_path, "texts", template_vars={"login_term_url": "/rules"}) as (hub, browser):
        login = (await browser.get("/hub/login")).text
        assert 'placeholder="campus account"' in login
        assert '<a href="/rules">rules of the house</a>' in login
        await hub.user("root", admin=True)
        await run_server(hub, "ada")
        invited = await invitation(hub, "ada")
        await hub.server("root", **STOPPING)
        await browser.log_in("root")
        for path, text in {
            "/hub/token": "Tokens are passwords.",
            "/hub/admin": "Version 6.1",
            ASK.format("ada"): "Server at /user/ada/ asks for",
            "/hub/spawn-pending/root": "Going to sleep",
        }.items():
            assert text in (await browser.get(path)).text, path
        async with hub.browser() as bea:
            await bea.log_in("bea")
            assert "Shared with bea by ada" in (await bea.get(invited)).text
        assert "Close your browser." in (await browser.get("/hub/logout")).text


async def test_jupyterhub_s_stylesheet_has_a_stand_in(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<link href="{{ static_url("css/style.min.css") }}">'
        '{{ static_url("favicon.ico", include_version=False) }}'
    )
    async with open_site(tmp_path, tmp_path) as (_, browser):
        page = (await browser.get("/hub/nothing")).text
        assert "/hub/static/favicon.svg" in page
        link = page.partition('href="')[2].partition('"')[0]
        assert ".btn-jupyter" in (await browser.get(link)).text


BROKEN = {
    "syntax": ("{% block login %}\n{% if %}", 3, "Expected an expression"),
    "end": ("{% block login %}\n<p>", 3, "endblock"),
    "parent": (None, 1, "there is no template templates/logn.html"),
    "itself": (None, 1, "extends itself"),
    "include": ('{% block login %}\n{% include "none.html" %}{% endblock %}', 3, "none.html"),
    "variable": ("{% block login %}\n\n{{ nobody.name.first }}{% endblock %}", 4, "UndefinedError"),
    "filter": ("{% block login %}{{ 1 | nosuch }}{% endblock %}", 2, "nosuch"),
}
WHOLE = {
    "parent": '{% extends "templates/logn.html" %}',
    "itself": '{% extends "login.html" %}',
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_wrong_template_is_named_and_the_hub_s_own_takes_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    body, line, said = BROKEN[kind]
    file = tmp_path / "login.html"
    file.write_text(WHOLE.get(kind) or f"{LOGIN}{body}")
    async with open_site(tmp_path, tmp_path) as (_, browser):
        with caplog.at_level(logging.ERROR):
            page = await browser.get("/hub/login")
            again = await browser.log_in()
        assert page.status_code == 200
        assert 'id="password_input"' in page.text
        assert "a template of this site is wrong" in page.text
        assert str(file) not in page.text
        assert again.status_code == 302
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == 1
        assert f"{file}, line {line}: " in told[0]
        assert said in told[0]


async def test_an_administrator_reads_the_reason_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "home.html").write_text('{% extends "templates/home.html" %}\n{% endif %}')
    async with open_site(tmp_path, tmp_path) as (hub, browser):
        await hub.user("root", admin=True)
        await browser.log_in("root")
        page = (await browser.get("/hub/home")).text
        assert f"{tmp_path / 'home.html'}, line 2: " in page
        assert "Start My Server" in page


async def test_wrong_error_pages_do_not_hide_the_error(tmp_path: Path) -> None:
    (tmp_path / "404.html").write_bytes(b"\xff")
    (tmp_path / "503.html").write_text('{% extends "nothing.html" %}')
    async with open_site(tmp_path, tmp_path) as (_, browser):
        lost = await browser.get("/hub/nothing")
        assert (lost.status_code, "There is nothing here" in lost.text) == (404, True)
        away = await browser.get("/hub/error/503")
        assert (away.status_code, "Service Unavailable" in away.text) == (503, True)


async def test_a_log_in_page_without_a_password_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "login.html").write_text(LOGIN + "{% block login %}Soon.{% endblock %}")
    async with open_site(tmp_path, tmp_path) as (_, browser):
        assert (await browser.get("/hub/login")).status_code == 200
        assert "no field for a password" in caplog.text


async def test_a_variable_that_cannot_be_had_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {"motto": lambda user: user.name, "other": "fine"}
    (tmp_path / "login.html").write_text(LOGIN + "{% block header %}[{{ motto }}{{ other }}]{% endblock %}")
    async with open_site(tmp_path, tmp_path, template_vars=variables) as (_, browser):
        assert "[fine]" in (await browser.get("/hub/login")).text
        assert "template_vars: motto could not be asked" in caplog.text


async def test_markup_of_settings_may_do_what_it_did_under_jupyterhub(tmp_path: Path) -> None:
    notice = "<b style='color: red' onclick=\"go('x')\">Down</b><script>go = alert</script>"
    variables = {"announcement_login": notice}
    async with open_hub(tmp_path, template_vars=variables) as hub, hub.browser() as browser:
        page = await browser.get("/hub/login")
        nonce = re.search(r"<script nonce=(\S+?)>go = alert", page.text)
        assert nonce is not None
        assert f"script-src 'self' 'nonce-{nonce[1]}';" in page.headers[POLICY]
        assert "'unsafe-hashes'" in page.headers[POLICY]
        other = await browser.get("/hub/nothing")
        assert "unsafe" not in other.headers[POLICY]


async def test_what_people_fill_in_never_changes_the_policy(tmp_path: Path) -> None:
    async with open_hub(tmp_path, plugins=OPTIONS) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await browser.xsrf("/hub/spawn")
        note = """x' onclick='go()' <script>go()</script> style="color: red" onfocus="go()\""""
        wrong = await browser.post("/hub/spawn/ada", data={"_xsrf": token, "size": "small", "note": note})
        assert wrong.status_code == 400
        assert "onfocus" in wrong.text
        assert "unsafe" not in wrong.headers[POLICY]
        assert "nonce" not in wrong.headers[POLICY]


@pytest.mark.parametrize("kept", [True, False])
async def test_templates_may_ask_what_the_authenticator_keeps(tmp_path: Path, kept: bool) -> None:
    (tmp_path / "home.html").write_text(
        '{% extends "templates/home.html" %}{% block header %}[{{ auth_state.team }}]{% endblock %}'
    )
    authenticator = DummyAuthenticator(password=PASSWORD, enable_auth_state=kept)
    async with open_site(tmp_path, tmp_path, authenticator=authenticator) as (hub, browser):
        object.__setattr__(hub.ctx, "sealer", Sealer([bytes(32)]))
        await browser.log_in()
        ada = await hub.user("ada")
        async with hub.ctx.store.write() as tx:
            await keep_auth_state(hub.ctx, tx, ada, {"team": "red"})
        page = await browser.get("/hub/home")
        assert ("[red]" in page.text) == kept
