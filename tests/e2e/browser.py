"""Chromium with a screenshot of every page, and what a person does in it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, WebSocket, expect, sync_playwright

from tests.rigs.needs import need
from tests.rigs.places import ROOT

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = ROOT / "screenshots"
#: How long a kernel, say, may take on a busy machine, in milliseconds.
_PATIENCE = 30_000


@contextlib.contextmanager
def open_page(*, javascript: bool = True) -> Iterator[Page]:
    """Yield a page of a new browser with an empty profile."""
    need(CHROMIUM.exists(), "Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, java_script_enabled=javascript)
            page.set_default_timeout(_PATIENCE)
            expect.set_options(timeout=_PATIENCE)
            yield page
        finally:
            browser.close()


def screenshot(page: Page, name: str) -> Path:
    """Write screenshots/NAME.png and return its path."""
    SCREENSHOTS.mkdir(exist_ok=True)
    path = SCREENSHOTS / f"{re.sub('[^a-z0-9-]+', '-', name.lower())}.png"
    page.screenshot(path=str(path))
    return path


@dataclass
class Sockets:
    """The websockets that a page opened and those that were closed since."""

    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, page: Page) -> Sockets:
        """Return a record of the page's websockets from now on."""
        sockets = cls()
        page.on("websocket", sockets._note)
        return sockets

    def kernels(self) -> list[str]:
        return [url for url in self.opened if "/channels" in url]

    def _note(self, socket: WebSocket) -> None:
        self.opened.append(socket.url)
        socket.on("close", lambda closing: self.closed.append(closing.url))


def log_in(page: Page, base: str, name: str, password: str) -> None:
    """Fill in the login form and send it; the page is whatever comes after, once it has begun to come."""
    page.goto(f"{base}hub/login")
    page.locator("#username_input").fill(name)
    page.locator("#password_input").fill(password)
    follow(page, page.get_by_role("button", name="Sign in"))


def follow(page: Page, button: Locator) -> None:
    """Click what sends a form or leads elsewhere, and wait until its page begins to come.

    A click alone does not wait: who goes elsewhere right after it may call off what it was to do.
    """
    with page.expect_navigation(wait_until="commit"):
        button.click()


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook whose code cells are `cells`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": cell,
        }
        for number, cell in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


def open_notebook(page: Page, url: str) -> None:
    """Open a notebook, and wait until its kernel has answered: a cell that is run before may never be."""
    with page.expect_websocket(lambda socket: "/channels" in socket.url, timeout=60_000) as kernel:
        page.goto(url)
    kernel.value.wait_for_event("framereceived", lambda _: True, timeout=60_000)
    expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible(timeout=60_000)


def run_cell(page: Page, number: int) -> Locator:
    """Run the open notebook's cell and return its output area."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.get_by_role("button", name="Run this cell and advance").click()
    return cell.locator(".jp-OutputArea-output").first
