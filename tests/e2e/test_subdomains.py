"""A browser with a host for every user: it goes from one to the other, and keeps their pages apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import log_in, open_notebook, open_page, run_cell, write_notebook
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import CARREL, PASSWORD, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(180)]


def test_from_the_log_in_to_a_cell_and_back(tmp_path: Path) -> None:
    write_notebook(tmp_path / "home" / "ada" / "answer.ipynb", "print(6 * 7)")
    hub = HubProcess(under_test(), tmp_path, "")
    # Browsers know that hosts below localhost are this machine.
    url = f"http://hub.localhost:{hub.ports.public}/"
    adas = f"http://ada.hub.localhost:{hub.ports.public}/"
    hub._config = class_config(tmp_path, CARREL.command()) + f"c.JupyterHub.subdomain_host = {url[:-1]!r}\n"
    with hub, open_page() as page:
        blocked: list[str] = []
        page.on("console", lambda message: blocked.append(message.text) if message.type == "error" else None)
        log_in(page, url, "ada", PASSWORD)
        # A form of the hub's host led here, over two others of its pages.
        page.wait_for_url(f"{adas}user/ada/lab**", timeout=60_000)
        open_notebook(page, f"{adas}user/ada/lab/tree/answer.ipynb")
        expect(run_cell(page, 0)).to_contain_text("42")
        page.goto(f"{adas}hub/home")
        assert page.url == f"{url}hub/home"
        page.locator("#start").click()
        page.wait_for_url(f"{adas}user/ada/lab**")
        # Somebody who is signed in and comes with the server running is led on by the form itself.
        page.context.clear_cookies()
        log_in(page, url, "ada", PASSWORD)
        page.wait_for_url(f"{adas}user/ada/lab**", timeout=60_000)
        assert [text for text in blocked if "Content Security Policy" in text and "form-action" in text] == []
