"""A hub that starts servers from repositories: real git, real uv, a real process per server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_server import GitServer

from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import under_test
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
#: Shows what it was given in its log, and then serves.
SHOWING = """
import json, os, sys
shown = {name: os.environ.get(name) for name in ("JUPYTERHUB_ROOT_DIR", "VIRTUAL_ENV", "JUPYTER_PATH")}
print("SHOWN " + json.dumps({"cwd": os.getcwd(), **shown}), flush=True)
os.execv(sys.argv[1], sys.argv[1:])
"""
#: A build that lasts until somebody says so.
BUILD = """
import pathlib, time
while not pathlib.Path({flag!r}).exists():
    time.sleep(0.05)
raise SystemExit("enough")
"""
PROJECT = """
[build-system]
requires = []
build-backend = "slow"
backend-path = ["."]
[project]
name = "own"
version = "1"
"""


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    made = GitServer(tmp_path_factory.mktemp("git"))
    made.fill_index()
    with made.running():
        yield made


@pytest.fixture(scope="module")
def hub(git_server: GitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("repositories")
    config = class_config(directory, (sys.executable, "-c", SHOWING, *STUB))
    config += f"""
c.Repositories.allowed = [{git_server.url!r}]
c.Spawner.args = []
c.Repositories.timeout = 40
c.Repositories.packages = ["ipykernel"]
c.Spawner.start_timeout = 30
c.Spawner.http_timeout = 30
c.Spawner.environment = {{
    "UV_DEFAULT_INDEX": "{git_server.url}/simple/",
    "UV_CACHE_DIR": "{directory}/uv",
}}
"""
    with HubProcess(under_test(), directory, config) as hub:
        yield hub


def agree(hub: HubProcess, name: str, repo: str, **asked: str) -> Visitor:
    """Follow a link to a repository as a user, agree, and return the browser on the pending page."""
    visitor = hub.visitor()
    visitor.log_in(name, PASSWORD)
    path = "hub/launch?repo=" + repo + "".join(f"&{key}={value}" for key, value in asked.items())
    page = visitor.get(path)
    fields = {"_xsrf": visitor.xsrf_token(page), "repo": repo, **asked}
    reply = visitor.post_form("hub/launch", fields)
    assert "/hub/spawn-pending/" in reply.location, reply.text
    return visitor


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    return hub.token("admin")


def model(hub: HubProcess, token: str, name: str) -> dict[str, Any]:
    return dict(hub.api("GET", f"users/{name}", token=token).json()["servers"].get("") or {})


def log_of(hub: HubProcess, name: str) -> str:
    return "".join(path.read_text() for path in (hub.directory / "carrel-run/logs").glob(f"{name}-*.log"))


def steps(hub: HubProcess, token: str, name: str) -> list[dict[str, Any]]:
    """Return all that a start has said until it is over."""
    text = hub.api("GET", f"users/{name}/server/progress", token=token).text
    return [json.loads(line[len("data: ") :]) for line in text.splitlines() if line.startswith("data: ")]


def test_a_repository_becomes_a_server_that_shows_it(
    hub: HubProcess, token: str, git_server: GitServer
) -> None:
    git_server.commit("course", {"requirements.txt": "tinypkg\n", "start.ipynb": "{}"})
    visitor = agree(hub, "ada", git_server.repo("course"), path="start.ipynb")
    told = steps(hub, token, "ada")
    assert told[-1].get("ready"), told[-1]
    said = [step["message"] for step in told]
    assert f"Fetching {git_server.repo('course')}" in said
    assert "Installing the kernel" in said
    numbers = [step["progress"] for step in told]
    assert numbers[0] == 0
    page = visitor.get("hub/launch?repo=" + git_server.repo("course") + "&path=start.ipynb")
    assert page.location.endswith("/user/ada/lab/tree/start.ipynb")
    lines = log_of(hub, "ada").splitlines()
    shown = json.loads(next(line for line in lines if line.startswith("SHOWN "))[6:])
    home = hub.directory / "home/ada"
    assert shown["cwd"] == shown["JUPYTERHUB_ROOT_DIR"] == str(home / "repositories/course")
    assert shown["VIRTUAL_ENV"].startswith(str(home / ".cache/carrel/environments/"))
    assert "tinypkg" in " ".join(map(str, Path(shown["VIRTUAL_ENV"]).rglob("tinypkg.py")))


def test_why_it_failed_is_told_in_plain_words(hub: HubProcess, token: str, git_server: GitServer) -> None:
    git_server.commit("wrong", {"requirements.txt": "tinypkg\nno-such-package\n"})
    visitor = agree(hub, "bea", git_server.repo("wrong"))
    told = steps(hub, token, "bea")
    assert told[-1]["failed"]
    assert told[-1]["failure"]["code"] == "repository"
    page = visitor.get("hub/spawn-pending/bea").text
    assert "requirements.txt line 2: no such package no-such-package." in page
    assert "Correct requirements.txt in the repository" in page


def test_options_sent_by_the_api_are_judged_like_a_link(hub: HubProcess, token: str) -> None:
    hub.api("POST", "users/cyd", token=token)
    body = json.dumps({"repository": {"repo": "https://evil.example/x"}}).encode()
    reply = hub.api("POST", "users/cyd/server", token=token, body=body)
    assert reply.json()["failure"]["code"] == "options-refused"
    assert "not among those that this hub allows" in reply.text
    assert not (hub.directory / "home/cyd/repositories").exists()


def test_a_hub_that_is_killed_meanwhile_goes_on_with_the_start(
    hub: HubProcess, token: str, git_server: GitServer, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    git_server.commit("slow", {"pyproject.toml": PROJECT, "slow.py": BUILD.format(flag=str(flag))})
    visitor = agree(hub, "dan", git_server.repo("slow"))
    until(lambda: "Building the env" in log_of(hub, "dan"), "the build")
    hub.kill9()
    hub.start()
    assert model(hub, token, "dan")["pending"] == "spawn"
    said = "Building the environment"
    until(lambda: said in visitor.get("hub/spawn-pending/dan").text, "the new hub to show the present step")
    flag.touch()
    told = steps(hub, token, "dan")
    assert f"Fetching {git_server.repo('slow')}" in [step["message"] for step in told]
    assert told[-1]["failure"]["code"] == "repository"
    assert "own could not be built" in told[-1]["failure"]["message"]


def test_a_start_that_is_stopped_meanwhile_leaves_nothing(
    hub: HubProcess, token: str, git_server: GitServer, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    git_server.commit("long", {"pyproject.toml": PROJECT, "slow.py": BUILD.format(flag=str(flag))})
    agree(hub, "eve", git_server.repo("long"))
    until(lambda: log_of(hub, "eve"), "the first step")
    hub.api("DELETE", "users/eve/server", token=token)
    until(lambda: model(hub, token, "eve") == {}, "the stop")
    assert not list((hub.directory / "home/eve").rglob("site-packages/own*"))
