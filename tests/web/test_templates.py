"""The templates: what they say to everybody, and how deployers change them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from carrel.domain.servers import Actual, Wanted
from carrel.web import render
from tests.http.hub import Browser, Hub, open_hub
from tests.http.test_errors import POLYGLOTS, assert_harmless
from tests.web.test_server_pages import FAILED, OPTIONS, RUNNING, STARTING, STOPPING
from tests.web.test_shares import invitation

TEMPLATES = Path(render.__file__).parent / "templates"


class Reader(HTMLParser):
    """Collects what a screen reader and a password manager need."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.buttons: list[str] = []
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self._inside = tag if tag in {"title", "button", "script", "style"} else self._inside
        if tag == "html":
            assert found.get("lang")
        if tag == "label":
            self.labels.add(str(found.get("for")))
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden":
            self.fields.append(found)
        if tag == "a":
            # The Space key presses buttons, and follows no link whatever it is called.
            assert "role" not in found
        if tag == "img":
            assert found.get("alt")
        if "id" in found:
            self.ids.append(str(found["id"]))
        self.inline += [name for name in found if name == "style" or name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.titles.append(data.strip())
        elif self._inside == "button":
            self.buttons.append(data.strip())
        elif self._inside in {"script", "style"}:
            self.inline.append(data)


async def every_page(hub: Hub, browser: Browser) -> dict[str, str]:
    """Return the HTML of each page, by a name."""
    pages = {"login": (await browser.get("/hub/login")).text}
    pages["login failed"] = (await browser.log_in("ada", "wrong")).text
    pages["404 nobody"] = (await browser.get("/hub/nothing")).text
    await browser.log_in()
    pages["home"] = (await browser.get("/hub/home")).text
    pages["spawn"] = (await browser.get("/hub/spawn")).text
    for name, row in {
        "running": RUNNING,
        "stopping": STOPPING,
        "starting": STARTING,
        "failed": FAILED,
    }.items():
        await hub.server("ada", **row)
        pages[f"home {name}"] = (await browser.get("/hub/home")).text
        pages[f"pending {name}"] = (await browser.get("/hub/spawn-pending/ada")).text
        pages[f"user {name}"] = (await browser.get("/hub/user/ada/lab?redirects=9")).text
    await hub.server("ada", wanted=Wanted.STOPPED, actual=Actual.STOPPED, failure=None)
    pages["not running"] = (await browser.get("/hub/user/ada/lab")).text
    pages["share"] = (await browser.get(await invitation(hub, "bea"))).text
    await hub.user("root", admin=True)
    await hub.group("class", "ada", "root")
    await hub.server("ada", "gpu", **FAILED)
    pages["token"] = (await browser.get("/hub/token")).text
    pages["token wrong"] = (await browser.send_form("/hub/token", scopes="none")).text
    pages["token made"] = (await browser.send_form("/hub/token", note="x")).text
    pages["home named"] = (await browser.get("/hub/home")).text
    pages["remove server"] = (await browser.get("/hub/remove/ada/gpu")).text
    async with hub.browser() as root:
        await root.log_in("root")
        for name, path in {
            "admin": "/hub/admin?done=asked",
            "admin empty": "/hub/admin?name_filter=none",
            "add": "/hub/admin/add",
            "user": "/hub/admin/users/ada?done=saved",
            "delete": "/hub/admin/users/ada/delete",
            "groups": "/hub/admin/groups",
            "group": "/hub/admin/groups/group?name=class",
            "delete group": "/hub/admin/groups/delete?name=class",
            "services": "/hub/admin/services",
        }.items():
            reply = await root.get(path)
            assert reply.status_code == 200, path
            pages[name] = reply.text
        for name, path in {"add": "/hub/admin/add", "group": "/hub/admin/groups"}.items():
            pages[f"{name} wrong"] = (await root.send_form(path, names="a/b", name="\u200b")).text
        wrong = {"save": "1", "name": "a/b", "groups": "none"}
        pages["user wrong"] = (await root.send_form("/hub/admin/users/ada", **wrong)).text
    pages["error"] = (await browser.get("/hub/error/503")).text
    pages["404"] = (await browser.get("/hub/user/nobody/")).text
    pages["confirm logout"] = (
        await browser.get("/hub/logout", headers={"Sec-Fetch-Site": "cross-site"})
    ).text
    pages["logout"] = (await browser.get("/hub/logout")).text
    return {name: text for name, text in pages.items() if text}


async def test_every_page_is_made_for_everybody(tmp_path: Path) -> None:
    opened = open_hub(tmp_path, plugins=OPTIONS, allow_named_servers=True)
    async with opened as hub, hub.browser() as browser:
        pages = await every_page(hub, browser)
        assert len(pages) >= 34
        for name, html in pages.items():
            page = Reader(html)
            assert len(page.titles) == 1, name
            assert page.titles[0].endswith("Carrel"), name
            assert page.tags.count("main") == page.tags.count("h1") == page.tags.count("header") == 1, name
            assert len(page.ids) == len(set(page.ids)), name
            assert all(page.buttons), name
            assert page.inline == [], name
            for field in page.fields:
                assert field.get("id") in page.labels or field.get("aria-label"), (name, field)


async def test_the_form_is_what_password_managers_look_for(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        page = Reader((await browser.get("/hub/login")).text)
        fields = {str(field["name"]): field for field in page.fields}
        assert fields["username"]["id"] == "username_input"
        assert fields["username"]["autocomplete"] == "username"
        assert fields["password"]["id"] == "password_input"
        assert fields["password"]["autocomplete"] == "current-password"
        assert page.buttons == ["Sign in"]


def test_templates_escape_by_default_and_quote_their_attributes() -> None:
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text()
        assert "|safe" not in text.replace(" ", ""), path.name
        assert "autoescape" not in text, path.name
        assert not re.search(r"\s[a-z-]+=\{\{", text), f"{path.name} has an unquoted attribute"
        assert not re.search(r"<script(?![^>]*src=)", text), f"{path.name} has an inline script"
        assert not re.search(r"\son[a-z]+=", text), f"{path.name} has an inline handler"


@pytest.mark.parametrize("polyglot", POLYGLOTS)
async def test_nothing_that_a_visitor_sends_becomes_markup(tmp_path: Path, polyglot: str) -> None:
    async with open_hub(tmp_path, plugins=OPTIONS) as hub, hub.browser() as browser:
        aim = f"/user/ada/{polyglot}"
        name = polyglot.replace("/", "")
        replies = [
            await browser.get("/hub/login", params={"next": aim}),
            await browser.log_in(name, "wrong", next=aim),
            await browser.get("/hub/home", params={"x": polyglot}),
        ]
        await browser.log_in()
        await hub.server("ada")
        invited = await invitation(hub, "bea")
        replies += [
            await browser.get(invited, params={"next": aim, "code": polyglot}),
            await browser.get(f"{invited}&{urlencode({'next': aim, 'x': polyglot})}"),
            await browser.get("/hub/spawn", params={"next": aim, "x": polyglot}),
            await browser.get("/hub/user/ada/lab", params={"x": polyglot}),
            await browser.get("/hub/logout", params={"next": aim}, headers={"Sec-Fetch-Site": "cross-site"}),
        ]
        token = await browser.xsrf("/hub/home")
        replies.append(await browser.post("/hub/spawn", data={"_xsrf": token, "size": polyglot}))
        await hub.server("ada", **STARTING)
        replies.append(await browser.get("/hub/spawn-pending/ada", params={"next": aim}))
        for reply in replies:
            assert_harmless(reply.text, polyglot)


async def test_deployers_extend_pages_and_add_variables(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "login.html").write_text(
        '{% extends "templates/login.html" %}{% block login_container %}'
        "<p>{{ motto }} {{ who }}</p>{{ super() }}{% endblock %}"
    )
    variables = {
        "motto": "a < b",
        "who": lambda user: user.name if user else "nobody",
        "announcement": "<b>Down on Sunday</b>",
        "announcement_home": "<i>Welcome</i>",
    }
    async with (
        open_hub(tmp_path, template_paths=["mine"], template_vars=variables) as hub,
        hub.browser() as browser,
    ):
        login = (await browser.get("/hub/login")).text
        assert "<p>a &lt; b nobody</p>" in login
        assert "<b>Down on Sunday</b>" in login
        assert "username_input" in login
        await browser.log_in()
        home = (await browser.get("/hub/home")).text
        assert "<i>Welcome</i>" in home
        assert "Down on Sunday" not in home


async def test_old_overrides_of_the_frame_still_work(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "home.html").write_text(
        '{% extends "page.html" %}{% block main %}<h1>{{ user.name }}</h1>'
        "{% if 'admin-ui' in parsed_scopes %}<p>may administrate</p>{% endif %}"
        "{% for service in services %}{{ service.href }}{{ service.prefix }}{{ service.name }}{% endfor %}"
        '<a href="{{ prefix }}user/x">{{ base_url }}</a>{% endblock %}'
    )
    async with (
        open_hub(tmp_path, template_paths=["mine"]) as hub,
        hub.browser() as ada,
        hub.browser() as root,
    ):
        await hub.user("root", admin=True)
        await ada.log_in("ada")
        await root.log_in("root")
        mine = (await ada.get("/hub/home")).text
        assert "<h1>ada</h1>" in mine
        assert "may administrate" not in mine
        assert 'id="logout"' in mine
        assert "may administrate" in (await root.get("/hub/home")).text


async def test_static_files_are_kept_by_their_content(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        link = (
            (await browser.get("/hub/login")).text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        )
        reply = await browser.get(link)
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/css")
        assert "immutable" in reply.headers["cache-control"]
        plain = await browser.get(link.partition("?")[0])
        assert plain.headers["cache-control"] == "no-cache"
        known = await browser.get(link, headers={"If-None-Match": reply.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        for path in (
            "../render.py",
            "..%2frender.py",
            "%2e%2e/render.py",
            "nothing.js",
            "../templates/page.html",
        ):
            assert (await browser.get(f"/hub/static/{path}")).status_code == 404


async def test_the_logo_can_be_the_deployers(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"png")
    async with open_hub(tmp_path, logo_file="mine.png") as hub, hub.browser() as browser:
        reply = await browser.get("/hub/logo")
        assert (reply.content, reply.headers["content-type"]) == (b"png", "image/png")
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reply = await browser.get("/hub/logo")
        assert reply.headers["content-type"].startswith("image/svg+xml")
        assert b"<script" not in reply.content


async def test_options_of_the_environment_are_obeyed_and_values_stay_escaped(tmp_path: Path) -> None:
    (tmp_path / "login.html").write_text("{% do [] %}{% set x = '<b>' %}<p>{{ x }}</p>")
    options = {"extensions": ["jinja2.ext.do"], "autoescape": False, "enable_async": True}
    settings: dict[str, Any] = {"template_paths": ["."], "jinja_environment_options": options}
    async with open_hub(tmp_path, **settings) as hub, hub.browser() as browser:
        assert (await browser.get("/hub/login")).text == "<p>&lt;b&gt;</p>"


async def test_a_logo_that_cannot_be_read_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hub(tmp_path, logo_file="none.png") as hub, hub.browser() as browser:
        reply = await browser.get("/hub/logo")
        assert reply.headers["content-type"].startswith("image/svg+xml")
        assert "logo_file cannot be read" in caplog.text


async def test_deployers_have_files_of_their_own(tmp_path: Path) -> None:
    static = tmp_path / "share" / "static"
    (static / "css").mkdir(parents=True)
    (static / "css" / "campus.css").write_text("body { color: red; }")
    (static / "carrel.css").write_text("not this one")
    (static / ".htpasswd").write_text("secret")
    (tmp_path / "share" / "key.pem").write_text("secret")
    (static / "link.pem").symlink_to(tmp_path / "share" / "key.pem")
    async with open_hub(tmp_path, data_files_path="share") as hub, hub.browser() as browser:
        reply = await browser.get("/hub/static/css/campus.css")
        assert reply.text == "body { color: red; }"
        assert reply.headers["content-type"].startswith("text/css")
        assert reply.headers["cache-control"] == "no-cache"
        tag = {"If-None-Match": reply.headers["etag"]}
        assert (await browser.get("/hub/static/css/campus.css", headers=tag)).status_code == 304
        assert "not this one" not in (await browser.get("/hub/static/carrel.css")).text
        for path in (
            "css",
            "css/",
            "none.css",
            ".htpasswd",
            "link.pem",
            "../key.pem",
            "..%2fkey.pem",
            "css/..%2f..%2fkey.pem",
            "%2fetc%2fpasswd",
            "a%00b",
        ):
            assert (await browser.get(f"/hub/static/{path}")).status_code == 404, path
