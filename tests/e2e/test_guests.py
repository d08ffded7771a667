"""Somebody else's server: an administrator is asked first, and Lab's menu leads back to the hub."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import open_page, screenshot
from tests.e2e.test_pages import signed_in
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import CARREL, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(180)]


def test_an_administrator_visits_a_colleague(tmp_path: Path) -> None:
    config = class_config(tmp_path, CARREL.command())
    with HubProcess(under_test(), tmp_path, config) as hub, open_page() as page:
        token = hub.token("admin")
        hub.api("POST", "users/ada", token=token)
        assert hub.api("POST", "users/ada/server", token=token).status in {201, 202}
        hub.wait_server("ada", token)
        signed_in(page, hub, "admin")
        page.goto(f"{hub.public_url}user/ada/lab")
        expect(page.get_by_role("heading", name=re.compile("Authorize"))).to_be_visible()
        screenshot(page, "oauth confirm")
        page.get_by_role("button", name="Authorize").click()
        expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)
        leave_by_the_menu(page)
        page.goto(f"{hub.public_url}user/ada/lab")
        expect(page.locator("#username_input")).to_be_visible()


def leave_by_the_menu(page: Page) -> None:
    """Sign out with JupyterLab's own menu, which leads through the hub."""
    page.get_by_role("menuitem", name="File").click()
    expect(page.get_by_text("Hub Control Panel")).to_be_visible()
    screenshot(page, "lab hub menu")
    expect(page.get_by_text("Shut Down", exact=True)).to_be_hidden()
    page.get_by_role("menuitem", name="Log Out").click()
    page.wait_for_url(re.compile(r"/hub/(logout|login)"))
