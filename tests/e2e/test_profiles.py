"""The form of profiles in a browser: with and without JavaScript, in the light, the dark and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import follow, log_in, open_page, screenshot
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(120)]

PROFILES = """
size = {"environment": {"SIZE": "{value}"}}
c.Profiles.profiles = [
    {
        "id": "small",
        "title": "A small server",
        "description": "For lectures and homework. It is there in a moment.",
        "overrides": {"mem_limit": "2G", "cpu_limit": 1, "environment": {"SIZE": "small"}},
    },
    {
        "id": "large",
        "title": "A large server",
        "description": "For your own work, as large as you need it.",
        "price": "0.40 €/h",
        "overrides": {"cpu_limit": 4, "environment": {"OMP_NUM_THREADS": "4"}},
        "options": {
            "memory": {"type": "number", "title": "Memory", "min": 4, "max": 64, "step": 4, "unit": "GiB",
                       "default": 8, "sets": size},
            "page": {"title": "Page", "description": "What you see first.",
                     "choices": {"lab": "JupyterLab", "tree": "The list of files"},
                     "unlisted": {"pattern": "/[a-z/]+", "title": "Another page",
                                  "description": "It begins with a slash.", "sets": "default_url"}},
            "account": {"type": "text", "title": "Account", "pattern": "[a-z]{2,8}",
                        "message": "It must be 2 to 8 small letters", "placeholder": "physics",
                        "sets": {"environment": {"ACCOUNT": "{value}"}}},
            "debug": {"type": "switch", "title": "Write a long log", "on": {"debug": True}},
        },
    },
    {"id": "own", "title": "One of the staff's", "groups": ["staff"]},
]
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("profiles")
    with HubProcess(carrel(), directory, class_config(directory, STUB) + PROFILES) as hub:
        yield hub


def environment(hub: HubProcess) -> dict[str, str]:
    (pid,) = hub.servers()
    return processes.environment(pid)


def visit(page: Page, hub: HubProcess, name: str) -> None:
    log_in(page, hub.public_url, name, PASSWORD)
    page.goto(f"{hub.public_url}hub/spawn")


def test_only_the_chosen_profiles_options_are_shown_and_mistakes_stand_beside_them(hub: HubProcess) -> None:
    with open_page() as page:
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        visit(page, hub, "ada")
        expect(page.get_by_label("Memory")).to_be_hidden()
        expect(page.get_by_text("One of the staff's")).to_have_count(0)
        screenshot(page, "profiles")
        page.get_by_label("A large server").check()
        expect(page.get_by_label("Memory")).to_have_value("8")
        expect(page.get_by_label("Another page")).to_be_hidden()
        page.get_by_label("Page", exact=True).select_option("Another page")
        page.get_by_label("Another page").fill("/files")
        page.get_by_label("Account").fill("Physics!")
        screenshot(page, "profiles options")
        assert complaints == []
        follow(page, page.get_by_role("button", name="Start"))
        expect(page.get_by_role("alert")).to_contain_text("Account: It must be 2 to 8 small letters")
        account = page.get_by_label("Account")
        expect(account).to_have_value("Physics!")
        expect(account).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Another page")).to_have_value("/files")
        for name, width in (("mistake", 1280), ("dark", 1280), ("phone", 380)):
            page.emulate_media(color_scheme="dark" if name == "dark" else "light")
            page.set_viewport_size({"width": width, "height": 1100})
            screenshot(page, f"profiles {name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        account.fill("physics")
        follow(page, page.get_by_role("button", name="Start"))
        page.wait_for_url("**/user/ada/**")
        found = environment(hub)
        assert (found["SIZE"], found["ACCOUNT"], found["OMP_NUM_THREADS"]) == ("8", "physics", "4")
        page.goto(f"{hub.public_url}hub/home")
        page.locator("#stop").click()
        expect(page.locator("#start")).to_be_visible()
        page.goto(f"{hub.public_url}hub/spawn")
        expect(page.get_by_label("A large server")).to_be_checked()
        expect(page.get_by_label("Account")).to_have_value("physics")


def test_it_works_without_javascript_and_by_keyboard(hub: HubProcess) -> None:
    with open_page(javascript=False) as page:
        visit(page, hub, "bea")
        expect(page.get_by_label("Memory")).to_be_visible()
        screenshot(page, "profiles without javascript")
        page.get_by_label("A small server").focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_label("A large server")).to_be_checked()
        page.keyboard.press("ArrowUp")
        page.get_by_label("Memory").fill("12")
        follow(page, page.get_by_role("button", name="Start"))
        page.wait_for_url("**/user/bea/**")
        assert environment(hub)["SIZE"] == "small"
        page.goto(f"{hub.public_url}hub/home")
        follow(page, page.locator("#stop"))
