"""A link of nbgitpuller's, opened by somebody who is not logged in and has no server: after the log-in the
server starts, the repository is there, and the page that the link names is shown."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.browser import open_page, screenshot
from tests.plugins.environment import PYTHON, carrel_with_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.singleusers import PASSWORD, class_config

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
PLUGIN = "nbgitpuller"
BACK_END = "a local git repository, `carrel-singleuser`, Chromium"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    command = (str(PYTHON), "-m", "carrel_client.singleuser")
    with HubProcess(carrel_with_plugins(), tmp_path, class_config(tmp_path, command)) as hub:
        yield hub


def git(directory: Path, *words: str) -> None:
    name = ["-c", "user.name=Teacher", "-c", "user.email=teacher@example.edu"]
    subprocess.run(["git", *name, *words], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A repository with a page."""
    need(shutil.which("git"), "git")
    directory = tmp_path / "course"
    directory.mkdir()
    git(directory, "init", "--initial-branch=main")
    (directory / "week one.txt").write_text("Read chapter 1")
    git(directory, "add", ".")
    git(directory, "commit", "-m", "Begin")
    return directory


def link(course: Path) -> str:
    urlpath = "files/course/week%20one.txt"
    query = {"repo": course.as_uri(), "branch": "main", "urlpath": urlpath}
    return f"hub/user-redirect/git-pull?{urlencode(query)}"


def test_a_link_logs_in_starts_a_server_and_pulls_twice(hub: HubProcess, course: Path) -> None:
    """A link leads through log-in and start to a page of the pulled repository; another visit brings news."""
    with open_page() as page:
        page.goto(f"{hub.public_url}{link(course)}")
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("Read chapter 1").wait_for(timeout=60_000)
        screenshot(page, "plug-in-nbgitpuller")
        assert page.url.endswith("/user/ada/files/course/week%20one.txt")
        (course / "week two.txt").write_text("Read chapter 2")
        git(course, "add", ".")
        git(course, "commit", "-m", "Go on")
        page.goto(f"{hub.public_url}{link(course)}")
        page.wait_for_url("**/files/course/**", timeout=60_000)
    home = hub.directory / "home" / "ada" / "course"
    assert sorted(path.name for path in home.glob("*.txt")) == ["week one.txt", "week two.txt"]
    token = hub.token("ada")
    assert hub.api("DELETE", "users/ada/server", token=token).status in (202, 204)
    hub.wait_server("ada", token, running=False)
    assert os.path.exists(home)
