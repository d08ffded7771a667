"""A hub that starts containers from repositories: real git, uv and Carrel's own program in real containers.

The image has neither: it is made of this machine's packages, so that this machine's programs run in it.
"""

from __future__ import annotations

import json
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_server import GitServer

from tests.rigs.docker_engine import Engine
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.spawners.docker.test_docker_hub import STUB, hub_with
from tests.spawners.test_repository_starts import BUILD, PROJECT, agree, model, steps

pytestmark = [pytest.mark.real, pytest.mark.timeout(180), pytest.mark.usefixtures("clean")]
_CLIENT = Path(__file__).parents[3] / "packages/carrel-client/src"
#: What pip would have put into an image.
PROGRAM = """#!/opt/venv/bin/python
import os, sys
sys.path.insert(0, "/client")
os.environ["LD_LIBRARY_PATH"] = "/libraries"
from carrel_client.repository import main
main()
"""


@pytest.fixture(scope="module")
def git_server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    made = GitServer(tmp_path_factory.mktemp("git"), engine.address)
    made.fill_index()
    with made.running():
        yield made


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that containers see, for the flags that builds wait for."""
    place = tmp_path_factory.mktemp("gate")
    place.chmod(0o755)
    return place


@pytest.fixture(scope="module")
def hub(
    engine: Engine, git_server: GitServer, gate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("hub")
    program = directory / "carrel-repository"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    git, uv = shutil.which("git"), shutil.which("uv")
    need(git and uv, "git and uv")
    seen = {
        program: "/opt/venv/bin/carrel-repository",
        Path(str(uv)).resolve(): "/opt/venv/bin/uv",
        Path(str(git)).resolve(): "/usr/bin/git",
        Path("/usr/lib/git-core"): "/usr/lib/git-core",
        Path("/usr/lib", sysconfig.get_config_var("MULTIARCH")): "/libraries",
        _CLIENT: "/client",
        gate: "/gate",
    }
    lines = f"""
c.DockerSpawner.read_only_volumes.update({ {str(key): value for key, value in seen.items()}!r})
c.Repositories.allowed = [{git_server.url!r}]
c.Repositories.timeout = 40
c.Repositories.packages = ["ipykernel"]
c.Spawner.start_timeout = 30
c.Spawner.http_timeout = 30
c.Spawner.environment = {{"UV_DEFAULT_INDEX": "{git_server.url}/simple/"}}
c.Authenticator.admin_users = {{"admin"}}
"""
    with hub_with(engine, directory, STUB + lines) as hub:
        yield hub


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    return hub.token("admin")


def slow_build(git_server: GitServer, name: str) -> None:
    """Have a repository whose build lasts until there is a flag of its name."""
    files = {"pyproject.toml": PROJECT, "slow.py": BUILD.format(flag=f"/gate/{name}")}
    git_server.commit(name, files)


def log_of(engine: Engine, user: str) -> str:
    return engine.run("logs", f"jupyter-{user}", check=False)


def report(hub: HubProcess, engine: Engine, user: str) -> dict[str, Any]:
    """Return what the stub in a container says of itself."""
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8888/').read().decode())"
    return dict(json.loads(engine.run("exec", f"jupyter-{user}", "python", "-c", fetch)))


def test_a_container_is_started_from_a_repository_and_again(
    hub: HubProcess, engine: Engine, token: str, git_server: GitServer
) -> None:
    """Its steps are shown; it is gone on with the next time, and set aside for another repository."""
    git_server.commit("course", {"requirements.txt": "tinypkg\n", "start.ipynb": "{}"})
    visitor = agree(hub, "ada", git_server.repo("course"), path="start.ipynb")
    told = steps(hub, token, "ada")
    assert told[-1].get("ready"), told[-1]
    said = [step["message"] for step in told]
    assert said.index("Starting the container") < said.index(f"Fetching {git_server.repo('course')}")
    assert "Installing the kernel" in said
    found = report(hub, engine, "ada")
    assert found["cwd"] == found["env"]["JUPYTERHUB_ROOT_DIR"] == "/home/jovyan/repositories/course"
    assert found["env"]["VIRTUAL_ENV"].startswith("/home/jovyan/.cache/carrel/environments/")
    assert engine.run("exec", "jupyter-ada", "sh", "-c", "ls $(find / -name tinypkg.py 2>/dev/null)")
    page = visitor.get("hub/launch?repo=" + git_server.repo("course") + "&path=start.ipynb")
    assert page.location.endswith("/user/ada/lab/tree/start.ipynb")
    first = engine.inspect("jupyter-ada")["Id"]

    # What the container said the last time is over: the second start is followed, too.
    hub.stop_server("ada", token)
    git_server.commit("course", {"new.txt": "new"})
    agree(hub, "ada", git_server.repo("course"), path="start.ipynb")
    said = [step["message"] for step in steps(hub, token, "ada")]
    assert "Bringing course up to date" in said
    assert not any(message.startswith("Fetching ") for message in said)
    assert engine.inspect("jupyter-ada")["Id"] == first

    hub.stop_server("ada", token)
    git_server.commit("other", {"a.txt": "a"})
    agree(hub, "ada", git_server.repo("other"))
    assert steps(hub, token, "ada")[-1].get("ready")
    assert engine.containers() == ["jupyter-ada", f"jupyter-ada-before-{first[:12]}"]
    assert report(hub, engine, "ada")["cwd"] == "/home/jovyan/repositories/other"
    hub.stop_server("ada", token)


def test_one_that_is_not_allowed_starts_nothing(hub: HubProcess, engine: Engine, token: str) -> None:
    hub.api("POST", "users/cyd", token=token)
    body = json.dumps({"repository": {"repo": "https://evil.example/x"}}).encode()
    reply = hub.api("POST", "users/cyd/server", token=token, body=body)
    assert reply.json()["failure"]["code"] == "options-refused"
    assert engine.containers() == []


def test_a_hub_that_is_killed_meanwhile_goes_on_with_the_start(
    hub: HubProcess, engine: Engine, token: str, git_server: GitServer, gate: Path
) -> None:
    slow_build(git_server, "slow")
    agree(hub, "dan", git_server.repo("slow"))
    until(lambda: "Building the env" in log_of(engine, "dan"), "the build")
    first = engine.inspect("jupyter-dan")["Id"]
    hub.kill9()
    hub.start()
    assert model(hub, token, "dan")["pending"] == "spawn"
    assert engine.inspect("jupyter-dan")["Id"] == first
    (gate / "slow").touch()
    told = steps(hub, token, "dan")
    assert told[-1]["failure"]["code"] == "repository"
    assert "own could not be built" in told[-1]["failure"]["message"]


def test_a_start_that_is_stopped_meanwhile_ends_the_build(
    hub: HubProcess, engine: Engine, token: str, git_server: GitServer
) -> None:
    slow_build(git_server, "long")
    agree(hub, "eve", git_server.repo("long"))
    until(lambda: "Building the env" in log_of(engine, "eve"), "the build")
    hub.api("DELETE", "users/eve/server", token=token)
    until(lambda: model(hub, token, "eve") == {}, "the stop")
    assert engine.inspect("jupyter-eve")["State"]["Running"] is False
