"""The form of profiles: what it offers, what it keeps, and that nothing else gets through it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from carrel.domain.servers import Server, Wanted
from tests.http.hub import Browser, Hub, open_hub

SMALL = {"id": "small", "title": "A small one", "description": "For <lectures>", "price": "0.10 €/h"}
LARGE = {
    "id": "large",
    "title": "A large one",
    "overrides": {"mem_limit": "8G", "cpu_limit": 2},
    "options": {
        "memory": {"type": "number", "title": "Memory", "min": 1, "max": 8, "unit": "GiB"},
        "page": {
            "title": "Page",
            "choices": {"lab": "Lab", "tree": "Files"},
            "unlisted": {"pattern": "/[a-z]+", "title": "Another page"},
        },
        "gpu": {"type": "switch", "title": "A GPU", "default": True},
        "note": {"type": "text", "title": "A note", "description": "For you"},
    },
}
STAFF = {"id": "staff", "title": "For the staff", "groups": ["staff"]}
ALL = {"Profiles": {"profiles": [SMALL, LARGE, STAFF]}}


class Labels(HTMLParser):
    """Finds fields without a name that is read out, and references to what is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.labelled: set[str] = set()
        self.fields: list[str] = []
        self.referred: set[str] = set()
        self.legends = self.fieldsets = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            assert given["id"] not in self.ids
            self.ids.add(given["id"] or "")
        self.referred |= set((given.get("aria-describedby") or "").split())
        if tag == "label":
            self.labelled.add(given.get("for") or "")
        if tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "submit"):
            self.fields.append(given.get("id") or "")
        self.legends += tag == "legend"
        self.fieldsets += tag == "fieldset"


@asynccontextmanager
async def visiting(
    directory: Path, plugins: dict[str, Any] | None = None, name: str = "ada"
) -> AsyncIterator[tuple[Hub, Browser]]:
    async with open_hub(directory, plugins=plugins or ALL) as hub, hub.browser() as browser:
        await hub.user("ada")
        await browser.log_in(name)
        yield hub, browser


async def row_of(hub: Hub, name: str = "ada") -> Server:
    async with hub.ctx.store.read() as tx:
        user = await tx.users.get(name)
        assert user is not None
        server = await tx.servers.get(user.id, "")
    assert server is not None
    return server


async def send(browser: Browser, fields: dict[str, Any], path: str = "/hub/spawn/ada") -> Any:
    return await browser.post(path, data={"_xsrf": await browser.xsrf("/hub/spawn"), **fields})


def large(**fields: str) -> dict[str, str]:
    return {"profile": "large"} | {f"profile-option-large--{name}": text for name, text in fields.items()}


def is_checked(page: str, value: str) -> bool:
    (tag,) = re.findall(rf'<input type="radio"[^>]*value="{value}"[^>]*>', page)
    return " checked" in tag


async def test_profiles_that_are_open_are_offered_with_their_limits_and_prices(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (_, browser):
        page = (await browser.get("/hub/spawn")).text
        assert "For &lt;lectures&gt;" in page
        assert "0.10 €/h" in page
        assert "8 GiB of memory" in page
        assert "2 CPUs" in page
        assert "For the staff" not in page
        assert is_checked(page, "small")
        assert not is_checked(page, "large")


async def test_every_field_has_its_label_and_every_group_its_legend(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (_, browser):
        wrong = await send(browser, large(memory="9", page="lab"))
        labels = Labels()
        labels.feed(wrong.text)
        assert len(labels.fields) == 7
        assert set(labels.fields) <= labels.labelled
        assert labels.referred <= labels.ids
        assert labels.legends == labels.fieldsets == 2


async def test_a_choice_starts_and_is_remembered(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (hub, browser):
        fields = large(memory="4", page="unlisted-choice", note="mine")
        fields["profile-option-large--page--unlisted-choice"] = "/editor"
        started = await send(browser, {**fields, "next": "/user/ada/lab"})
        assert started.headers["location"] == "/hub/spawn-pending/ada?next=/user/ada/lab"
        row = await row_of(hub)
        assert row.wanted is Wanted.RUNNING
        options = {"memory": 4, "page": {"other": "/editor"}, "gpu": False, "note": "mine"}
        assert row.user_options == {"profile": "large", "options": options}
        await hub.server("ada", wanted=Wanted.STOPPED)
        page = (await browser.get("/hub/spawn")).text
        assert is_checked(page, "large")
        assert re.search(r'--memory" value="4"', page)
        assert re.search(r'--page--unlisted-choice" value="/editor"', page)
        assert not re.search(r'--gpu" value="on" checked', page)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (large(memory="9"), "Memory: It must be a whole number from 1 to 8, not 9"),
        (large(memory="4.5"), "Memory: It must be a whole number from 1 to 8, not 4.5"),
        (large(memory="1; reboot"), "Memory: It must be a whole number"),
        (large(page="secret"), "Page: It must be one of lab, tree"),
        (large(note="$(reboot)"), "A note: It must be a line of letters"),
        (large(note="x" * 1_000_000), "A note: It must have 200 characters at most, not 1000000"),
        (large(gpu="maybe"), "A GPU: It must be true or false"),
        ({**large(page="unlisted-choice"), "profile-option-large--page--unlisted-choice": "../x"}, "Page: "),
        ({"profile": "staff"}, "profile: there is none that is called"),
        ({"profile": ["small", "large"]}, "it must be given once"),
        ({"profile": "small", "cmd": "sh"}, "there is no such field"),
        ({"profile": "small", "profile-option-staff--x": "1"}, "there is no such field"),
        ({"image": "evil"}, "there is no such field"),
    ],
)
async def test_what_is_not_offered_is_refused_with_its_fields_name(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    async with visiting(tmp_path) as (hub, browser):
        wrong = await send(browser, fields)
        assert wrong.status_code == 400
        (alert,) = re.findall(r'role="alert">(.*?)</p>', wrong.text)
        assert said in alert.replace("&#39;", "'")
        assert len(wrong.text) < 30_000
        async with hub.ctx.store.read() as tx:
            user = await tx.users.get("ada")
            assert user is not None
            server = await tx.servers.get(user.id, "")
        assert server is None or server.wanted is Wanted.STOPPED


async def test_what_is_wrong_stands_beside_its_field_and_the_rest_is_kept(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (_, browser):
        page = (await send(browser, large(memory="99", note="kept", page="tree"))).text
        (field,) = re.findall(r"<input[^>]*--memory[^>]*>", page)
        assert 'value="99"' in field
        assert 'aria-invalid="true"' in field
        (described,) = re.findall(r'aria-describedby="([^"]*)"', field)
        problem = described.split()[-1]
        assert re.search(rf'<p class="complaint" id="{problem}">It must be a whole number', page)
        assert is_checked(page, "large")
        assert 'value="kept"' in page
        assert re.search(r'value="tree" selected', page)


async def test_a_link_starts_what_it_names_and_one_of_another_site_asks_first(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (hub, browser):
        url = "/hub/spawn?profile=large&opt-memory=3&opt-gpu=off"
        foreign = await browser.get(url, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 200
        assert is_checked(foreign.text, "large")
        assert re.search(r'--memory" value="3"', foreign.text)
        wrong = await browser.get("/hub/spawn?profile=large&opt-memory=77")
        assert wrong.status_code == 400
        assert "Memory: It must be" in wrong.text
        assert (await browser.get(url)).headers["location"] == "/hub/spawn-pending/ada"
        options = {"memory": 3, "page": "lab", "gpu": False, "note": ""}
        assert (await row_of(hub)).user_options == {"profile": "large", "options": options}


async def test_who_starts_for_others_is_offered_what_these_may_choose(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (hub, _), hub.browser() as root:
        await hub.user("root", admin=True)
        async with hub.ctx.store.write() as tx:
            group = await tx.groups.create("staff")
            root_user = await tx.users.get("root")
            assert root_user is not None
            await tx.groups.add(group.id, [root_user.id])
        await root.log_in("root")
        assert "For the staff" in (await root.get("/hub/spawn")).text
        page = (await root.get("/hub/spawn/ada")).text
        assert "For the staff" not in page
        assert re.search(r"What <strong>ada</strong> may choose", page)
        refused = await send(root, {"profile": "staff"}, "/hub/spawn/ada")
        assert refused.status_code == 400


async def test_where_there_is_nothing_to_choose_it_starts_at_once(tmp_path: Path) -> None:
    async with visiting(tmp_path, {"Profiles": {"profiles": [SMALL, STAFF]}}) as (hub, browser):
        assert (await browser.get("/hub/spawn")).headers["location"] == "/hub/spawn-pending/ada"
        assert (await row_of(hub)).user_options == {"profile": "small", "options": {}}


async def test_who_may_choose_nothing_is_told(tmp_path: Path) -> None:
    async with visiting(tmp_path, {"Profiles": {"profiles": [STAFF]}}) as (_, browser):
        page = await browser.get("/hub/spawn")
        assert page.status_code == 400
        assert "No kind of server is open to ada" in page.text


async def test_a_function_that_fails_is_named_to_who_waits_for_it(tmp_path: Path) -> None:
    def broken(user: Any) -> list[Any]:
        raise LookupError(f"nothing for {user.name}")

    async with visiting(tmp_path, {"Profiles": {"profiles": broken}}) as (_, browser):
        page = await browser.get("/hub/spawn")
        assert page.status_code == 503
        assert "Profiles.profiles: nothing for ada" in page.text
