"""Every page that a person may meet: what it says, that nothing is blocked on it, and a picture of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import follow, log_in, open_page, screenshot
from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(120)]

BROKEN = """
c.Spawner.cmd = ['sh', '-c', 'echo "cp: <notes>: No space left on device" >&2; exit 3']
c.Spawner.start_timeout = 10
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("pages")
    with HubProcess(under_test(), directory, class_config(directory, STUB)) as hub:
        yield hub


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page() as page:
        yield page


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser refused to do on the pages, a missing page or a refused log-in aside."""
    found: list[str] = []

    def note(kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            found.append(text)

    page.on("console", lambda message: note(message.type, message.text))
    page.on("pageerror", lambda error: note("error", str(error)))
    return found


def signed_in(page: Page, hub: HubProcess, name: str = "ada") -> None:
    page.goto(f"{hub.public_url}hub/login?next=%2Fhub%2Fhome")
    page.locator("#username_input").fill(name)
    page.locator("#password_input").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/hub/home")


def test_the_login_page(page: Page, hub: HubProcess, complaints: list[str]) -> None:
    page.goto(hub.public_url)
    expect(page.get_by_label(re.compile("Username"))).to_be_focused()
    expect(page.get_by_label(re.compile("Password"))).to_have_attribute("type", "password")
    log_in(page, hub.public_url, "ada", "wrong")
    expect(page.get_by_text("Invalid username or password")).to_be_visible()
    assert complaints == []


@only_carrel
def test_the_login_page_in_the_dark(page: Page, hub: HubProcess) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(hub.public_url)
    screenshot(page, "login dark")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 100


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hub/nosuch", "error 404"),
        ("user/bob/", "somebody else's server"),
        ("hub/home", "home stopped early"),
    ],
)
def test_a_page(page: Page, hub: HubProcess, complaints: list[str], path: str, name: str) -> None:
    signed_in(page, hub)
    page.goto(f"{hub.public_url}{path}")
    screenshot(page, name)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.title()
    assert page.locator("h1").count() >= 1 or not hub.system.is_carrel
    assert complaints == []


def test_a_server_that_is_not_running_is_offered(page: Page, hub: HubProcess, complaints: list[str]) -> None:
    signed_in(page, hub, "cy")
    page.goto(f"{hub.public_url}user/cy/lab")
    screenshot(page, "not running")
    expect(page.get_by_text(re.compile("not running|Launch Server|Start", re.I)).first).to_be_visible()
    assert complaints == []


def test_the_home_page_starts_and_stops(page: Page, hub: HubProcess, complaints: list[str]) -> None:
    signed_in(page, hub, "dot")
    expect(page.locator("#start")).to_have_text(re.compile(r"Start\s+My Server"))
    page.locator("#start").click()
    page.wait_for_url("**/user/dot/**")
    page.goto(f"{hub.public_url}hub/home")
    page.locator("#stop").click()
    expect(page.locator("#start")).to_have_text(re.compile(r"Start\s+My Server"))
    assert complaints == []


@only_carrel
def test_everything_works_without_javascript(hub: HubProcess) -> None:
    with open_page(javascript=False) as page:
        signed_in(page, hub, "eve")
        page.locator("#start").click()
        page.wait_for_url("**/user/eve/**")
        page.goto(f"{hub.public_url}hub/home")
        screenshot(page, "home without javascript")
        follow(page, page.locator("#stop"))
        page.goto(f"{hub.public_url}hub/home")
        expect(page.locator("#start")).to_have_text(re.compile(r"Start\s+My Server"))
        follow(page, page.locator("#logout"))
        page.goto(f"{hub.public_url}hub/home")
        expect(page.locator("#username_input")).to_be_visible()


@only_carrel
@pytest.mark.parametrize("javascript", [True, False])
def test_a_failed_start_says_why_and_what_next(tmp_path: Path, javascript: bool) -> None:
    config = class_config(tmp_path, STUB) + BROKEN
    with HubProcess(under_test(), tmp_path, config) as hub, open_page(javascript=javascript) as page:
        for name in ("ada", "admin"):
            signed_in(page, hub, name)
            page.locator("#start").click()
            alert = page.get_by_role("alert")
            expect(alert).to_contain_text("A disk that the server writes to is full.", timeout=30_000)
            expect(alert).to_contain_text("Delete files that you do not need")
            expect(alert.get_by_text("disk-full")).to_have_count(1 if name == "admin" else 0)
            expect(page.locator("pre")).to_have_text("cp: <notes>: No space left on device")
            expect(page.get_by_role("button", name="Try again")).to_be_visible()
            if javascript:
                screenshot(page, f"start failed {name}")
            follow(page, page.locator("#logout"))


@only_carrel
def test_nobody_admitted_is_explained(tmp_path: Path, page: Page) -> None:
    config = class_config(tmp_path, STUB) + "c.Authenticator.allow_all = False\n"
    with HubProcess(under_test(), tmp_path, config + "c.Authenticator.admin_users = set()\n") as hub:
        page.goto(hub.public_url)
        screenshot(page, "nobody admitted")
        expect(page.get_by_text(re.compile("allow_all|allowed_users|nobody", re.I)).first).to_be_visible()
        assert "allow" in hub.log
