"""Deployers' templates in a browser: they look right, and their scripts and styles do what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import log_in, open_page, screenshot
from tests.e2e.test_pages import signed_in
from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel
from tests.web.test_overrides import SITES

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(120), only_carrel]

FORM = """
<style>.mine { border-left: 4px solid rgb(0, 100, 0); padding-left: 1rem; }</style>
<div class="form-group mine"><label for="size">Size</label>
<select class="form-control" id="size" name="size"><option value="s">Small</option></select></div>
<button type="button" id="more" onclick="document.getElementById('size').append(new Option('Large', 'l'))">
More</button>
<script>document.getElementById("more").textContent = "More sizes";</script>
"""


def settings(*sites: str) -> str:
    return f"""
c.JupyterHub.template_paths = {[str(SITES / site) for site in sites]!r}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.template_vars = {{"motto": "since 1960", "announcement_home": "<b>Down</b> on Sunday"}}
"""


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page() as page:
        yield page


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser refused, a font and a style sheet of elsewhere aside."""
    found: list[str] = []
    page.on("console", lambda said: found.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def refused(complaints: list[str]) -> list[str]:
    return [text for text in complaints if "Failed to load resource" not in text]


@pytest.fixture(scope="module")
def university(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("university")
    config = class_config(directory, STUB) + settings("university", "frame", "spawning", "errors")
    with HubProcess(carrel(), directory, config + f"c.Spawner.options_form = {FORM!r}\n") as hub:
        yield hub


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("laboratory")
    config = class_config(directory, STUB) + settings("copied", "lively")
    with HubProcess(carrel(), directory, config) as hub:
        yield hub


def test_a_university(page: Page, university: HubProcess, complaints: list[str]) -> None:
    page.goto(university.public_url)
    expect(page.locator(".welcome h2")).to_have_css("color", "rgb(140, 21, 21)")
    expect(page.locator(".welcome")).to_have_css("border-bottom-width", "3px")
    expect(page.get_by_role("link", name="Help")).to_be_visible()
    screenshot(page, "override university login")
    log_in(page, university.public_url, "ada", PASSWORD)
    expect(page.get_by_role("heading", name="Choose your machine")).to_be_visible()
    expect(page.locator(".mine")).to_have_css("border-left-width", "4px")
    page.get_by_role("button", name="More sizes").click()
    page.get_by_label("Size").select_option("Large")
    screenshot(page, "override university spawn")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/user/ada/**")
    page.goto(f"{university.public_url}hub/home")
    expect(page.get_by_text("Down on Sunday")).to_be_visible()
    screenshot(page, "override university home")
    page.goto(f"{university.public_url}hub/nothing")
    expect(page.get_by_text("There is no such page at Example Lab.")).to_be_visible()
    screenshot(page, "override university 404")
    assert refused(complaints) == []


def test_a_laboratory(page: Page, laboratory: HubProcess, complaints: list[str]) -> None:
    page.goto(laboratory.public_url)
    expect(page.locator("#clock")).to_have_text("ran")
    expect(page.locator("body")).to_have_css("border-top-width", "6px")
    expect(page.locator("body")).to_have_attribute("data-loaded", "yes")
    page.get_by_role("button", name="Contrast").click()
    expect(page.locator("body")).to_have_attribute("data-toggled", "yes")
    screenshot(page, "override laboratory login")
    signed_in(page, laboratory)
    assert page.evaluate("window.early") == "ada"
    screenshot(page, "override laboratory home")
    page.get_by_role("link", name="Start My Server").or_(page.locator("#start")).first.click()
    page.wait_for_url("**/user/ada/**")
    page.goto(f"{laboratory.public_url}hub/home")
    screenshot(page, "override laboratory home running")
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_have_count(0)
    expect(page.locator("#start")).to_contain_text("Start My Server")
    assert refused(complaints) == []


def test_a_broken_template(page: Page, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "login.html").write_text('{% extends "templates/login.html" %}\n{% block %}')
    config = class_config(tmp_path, STUB) + "c.JupyterHub.template_paths = ['mine']\n"
    with HubProcess(carrel(), tmp_path, config) as hub:
        page.goto(hub.public_url)
        expect(page.get_by_text("a template of this site is wrong")).to_be_visible()
        screenshot(page, "override broken login")
        log_in(page, hub.public_url, "ada", PASSWORD)
        page.wait_for_url("**/user/ada/**")
        assert f"A template is wrong: {tmp_path}/mine/login.html, line 2: " in hub.log
