"""A real hub whose servers are containers of a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rigs.docker_engine import IMAGE, OTHER_IMAGE, Engine
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systems import carrel
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180), pytest.mark.usefixtures("clean")]
_STUBS = Path(__file__).parent.parent
CONFIG = """
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'docker'
c.JupyterHub.hub_ip = {address!r}
c.DockerSpawner.image = {image!r}
c.DockerSpawner.extra_host_config = {{'init': True}}
c.DockerSpawner.stop_timeout = 1
c.Spawner.poll_interval = 1
"""
#: What a container runs where nobody needs a notebook.
STUB = f"""
c.DockerSpawner.cmd = ['python', '-S', '/stub/stub_server.py', 'serve']
c.DockerSpawner.read_only_volumes = {{{str(_STUBS)!r}: '/stub'}}
"""


@contextmanager
def hub_with(engine: Engine, directory: Path, lines: str = "") -> Iterator[HubProcess]:
    """Run a hub whose servers are containers; `lines` are settings."""
    plain = carrel()
    system = replace(plain, environment={**plain.environment, "DOCKER_HOST": engine.socket})
    config = CONFIG.format(password=PASSWORD, address=engine.address, image=IMAGE)
    with HubProcess(system, directory, config + lines) as hub:
        yield hub


def log_in(hub: HubProcess, user: str = "ada") -> tuple[Visitor, str]:
    visitor = hub.visitor()
    assert visitor.log_in(user, PASSWORD).location
    return visitor, hub.token(user)


def start(hub: HubProcess, user: str = "ada") -> tuple[Visitor, str]:
    visitor, token = log_in(hub, user)
    visitor.get(f"hub/spawn/{user}")
    hub.wait_server(user, token)
    return visitor, token


def environment(engine: Engine, name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in engine.inspect(name)["Config"]["Env"])


def test_a_notebook_in_a_container(engine: Engine, tmp_path: Path) -> None:
    """From the form with images to the notebook server's own API, and nothing left after the stop."""
    shelf = tmp_path / "shelf"
    (shelf / "ada").mkdir(parents=True)
    (shelf / "ada" / "notes.txt").write_text("kept outside")
    lines = f"""
c.DockerSpawner.remove = True
c.DockerSpawner.allowed_images = {{'First': '{IMAGE}', 'Second': '{OTHER_IMAGE}'}}
c.DockerSpawner.volumes = {{'{shelf}/{{username}}': '/home/jovyan/papers'}}
c.DockerSpawner.mem_limit = '400M'
c.DockerSpawner.cpu_limit = 1.5
"""
    with hub_with(engine, tmp_path, lines) as hub:
        visitor, token = log_in(hub)
        form = visitor.get("hub/spawn/ada")
        assert '<option value="Second">' in form.text
        fields = {"_xsrf": visitor.xsrf_token(form)}
        refused = visitor.post_form("hub/spawn/ada", {"image": "evil/miner:1", **fields})
        assert refused.status == 400
        assert "image: &#39;evil/miner:1&#39; is not allowed" in refused.text
        assert visitor.post_form("hub/spawn/ada", {"image": "Second", **fields}).location
        hub.wait_server("ada", token)
        seen = engine.inspect("jupyter-ada")
        assert seen["Config"]["Image"] == OTHER_IMAGE
        assert (seen["HostConfig"]["Memory"], seen["HostConfig"]["CpuQuota"]) == (400 * 2**20, 150_000)
        visitor.follow("user/ada/files/papers/notes.txt")
        contents = visitor.get("user/ada/api/contents/papers/notes.txt")
        assert contents.json()["content"] == "kept outside"
        hub.stop_server("ada", token)
        assert engine.containers() == []
        assert "Traceback" not in hub.log


def test_a_killed_hub_goes_on_with_its_containers(engine: Engine, tmp_path: Path) -> None:
    """A container outlives its hub, is started again with its token, and its end is told."""
    with hub_with(engine, tmp_path, STUB) as hub:
        visitor, token = start(hub)
        first = engine.inspect("jupyter-ada")["Id"]
        secret = environment(engine, "jupyter-ada")["JUPYTERHUB_API_TOKEN"]
        hub.restart()
        hub.wait_server("ada", token)
        assert engine.inspect("jupyter-ada")["Id"] == first
        hub.stop_server("ada", token)
        assert engine.inspect("jupyter-ada")["State"]["Running"] is False
        assert hub.api("GET", "user", token=secret).status == 403
        visitor.get("hub/spawn/ada")
        hub.wait_server("ada", token)
        assert engine.inspect("jupyter-ada")["Id"] == first
        assert hub.api("GET", "user", token=secret).json()["name"] == "ada"
        engine.run("kill", "jupyter-ada")
        hub.wait_server("ada", token, running=False)
        assert "was killed (SIGKILL)" in visitor.get("hub/home").text
