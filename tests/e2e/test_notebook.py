"""The first whole: sign in, JupyterLab opens, a cell runs, the hub restarts under it and nobody notices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import browser
from tests.e2e.browser import Sockets, follow, log_in, open_page, run_cell, screenshot, write_notebook
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import ALL, PASSWORD, Singleuser, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(180)]

LOOP = "import time\nfor count in range(10_000):\n    print(count, flush=True)\n    time.sleep(0.1)"


@pytest.mark.parametrize("singleuser", ALL, ids=lambda singleuser: singleuser.name)
def test_a_notebook_survives_the_hub(tmp_path: Path, singleuser: Singleuser) -> None:
    config = class_config(tmp_path, singleuser.command())
    write_notebook(tmp_path / "home" / "ada" / "answer.ipynb", "print(6 * 7)", LOOP)
    with HubProcess(under_test(), tmp_path, config) as hub, open_page() as page:
        sockets = Sockets.of(page)
        sign_in(page, hub, singleuser.name)
        open_notebook(page, hub, singleuser.name)
        expect(run_cell(page, 0)).to_contain_text("42")
        output = run_cell(page, 1)
        expect(output).to_contain_text("5")
        screenshot(page, f"lab running {singleuser.name}")
        closed = list(sockets.closed)
        hub.restart()
        seen = count_in(output.inner_text())
        until_counts(page, output, seen + 20)
        assert sockets.kernels(), "no kernel websocket was opened"
        if hub.system.is_carrel:
            assert sockets.closed == closed, "a websocket closed while the hub was away"
        stop_and_leave(page, hub, singleuser.name)


def sign_in(page: Page, hub: HubProcess, name: str) -> None:
    page.goto(hub.public_url)
    expect(page.locator("#username_input")).to_be_visible()
    screenshot(page, "login")
    log_in(page, hub.public_url, "ada", "wrong")
    expect(page.locator("#username_input")).to_be_visible()
    expect(page.get_by_text("Invalid username or password")).to_be_visible()
    screenshot(page, "login failed")
    log_in(page, hub.public_url, "ada", PASSWORD)
    page.wait_for_url(re.compile(r"/(hub/spawn-pending|user)/ada"))
    screenshot(page, f"spawn pending {name}")
    page.wait_for_url(re.compile(r"/user/ada/lab"), timeout=60_000)


def open_notebook(page: Page, hub: HubProcess, name: str) -> None:
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=60_000)
    screenshot(page, f"lab {name}")
    browser.open_notebook(page, f"{hub.public_url}user/ada/lab/tree/answer.ipynb")


def count_in(text: str) -> int:
    return max(map(int, re.findall(r"\d+", text)), default=0)


def until_counts(page: Page, output: object, number: int) -> None:
    page.wait_for_function(
        "number => [...document.querySelectorAll('.jp-OutputArea-output')]"
        ".some(area => area.innerText.trim().split(/\\s+/).some(word => Number(word) >= number))",
        arg=number,
    )


def stop_and_leave(page: Page, hub: HubProcess, name: str) -> None:
    page.goto(f"{hub.public_url}hub/home")
    expect(page.locator("#stop")).to_be_visible()
    screenshot(page, "home running")
    page.locator("#stop").click()
    expect(page.locator("#start")).to_have_text(re.compile(r"Start\s+My Server"), timeout=30_000)
    expect(page.locator("#stop")).to_be_hidden()
    screenshot(page, "home stopped")
    until(lambda: not hub.servers(), f"{name} to end")
    page.goto(f"{hub.public_url}user/ada/lab")
    screenshot(page, "not running")
    page.goto(f"{hub.public_url}hub/home")
    follow(page, page.locator("#logout"))
    page.goto(f"{hub.public_url}hub/home")
    expect(page.locator("#username_input")).to_be_visible()
