"""dockerspawner starts each server in a container, with images to choose from, volumes and limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.rigs.accounts import temporary_account
from tests.rigs.docker_engine import IMAGE, OTHER_IMAGE, Engine, docker_engine
from tests.rigs.hub import HubProcess
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systems import free_port
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
PLUGIN = "dockerspawner"
BACK_END = "Docker's engine, and an image with jupyterhub-singleuser 6.1"
NOTES = (
    "Of a container that Docker removes as it ends (`remove = True`) nobody learns the exit status.",
    "A swarm of several machines was not tried: there is one.",
)

CONFIG = """
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'docker'
c.JupyterHub.hub_ip = {address!r}
c.DockerSpawner.image = {image!r}
c.DockerSpawner.extra_host_config = {{'init': True}}
c.Spawner.poll_interval = 1
"""
#: It never answers, so that the hub is still at the start when it is killed.
SILENT = """
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ['sleep', '600']
c.Spawner.http_timeout = 5
"""
CLIENT = ROOT / "packages" / "carrel-client" / "src"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with docker_engine() as engine:
        yield engine


@pytest.fixture(autouse=True)
def _clear(engine: Engine) -> Iterator[None]:
    yield
    engine.clear()


@contextmanager
def hub_with(engine: Engine, directory: Path, lines: str = "") -> Iterator[HubProcess]:
    """Run a hub whose servers are containers; `lines` are settings."""
    plain = carrel_with_plugins()
    system = replace(plain, config="", environment={**plain.environment, "DOCKER_HOST": engine.socket})
    config = CONFIG.format(password=PASSWORD, address=engine.address, image=IMAGE)
    with HubProcess(system, directory, config + lines) as hub:
        yield hub


def log_in(hub: HubProcess, user: str = "ada") -> tuple[Visitor, str]:
    visitor = hub.visitor()
    assert visitor.log_in(user, PASSWORD).location
    return visitor, hub.token(user)


def start(hub: HubProcess, user: str = "ada") -> tuple[Visitor, str]:
    """Log in by the form, start the server by its page, and return the visitor and an API token."""
    visitor, token = log_in(hub, user)
    visitor.get(f"hub/spawn/{user}")
    hub.wait_server(user, token)
    return visitor, token


def contents(visitor: Visitor, path: str, user: str = "ada") -> object:
    """Return what the server has at a path, for a browser that comes through the hub's log-in."""
    visitor.follow(f"user/{user}/files/{path}")
    answer = visitor.get(f"user/{user}/api/contents/{path}")
    assert answer.status == 200, answer.text
    return answer.json()["content"]


def environment(engine: Engine, name: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in engine.inspect(name)["Config"]["Env"])


def test_an_image_is_chosen_started_used_and_stopped(engine: Engine, tmp_path: Path) -> None:
    """People choose an image; the container has its volumes and limits, and is gone after the stop."""
    shelf = tmp_path / "shelf"
    (shelf / "ada").mkdir(parents=True)
    (shelf / "ada" / "notes.txt").write_text("kept outside")
    lines = f"""
c.DockerSpawner.remove = True
c.DockerSpawner.allowed_images = ['{IMAGE}', '{OTHER_IMAGE}']
c.DockerSpawner.volumes = {{'{shelf}/{{username}}': '/home/jovyan/work'}}
c.DockerSpawner.mem_limit = '400M'
c.DockerSpawner.cpu_limit = 1.5
"""
    with hub_with(engine, tmp_path, lines) as hub:
        visitor, token = log_in(hub)
        form = visitor.get("hub/spawn/ada")
        assert f'<option value="{OTHER_IMAGE}"' in form.text
        sent = visitor.post_form("hub/spawn/ada", {"image": OTHER_IMAGE, "_xsrf": visitor.xsrf_token(form)})
        assert sent.location, sent.text
        hub.wait_server("ada", token)
        seen = engine.inspect("jupyter-ada")
        assert seen["Config"]["Image"] == OTHER_IMAGE
        assert (seen["HostConfig"]["Memory"], seen["HostConfig"]["CpuQuota"]) == (400 * 2**20, 150_000)
        assert environment(engine, "jupyter-ada")["MEM_LIMIT"] == str(400 * 2**20)
        assert contents(visitor, "work/notes.txt") == "kept outside"
        hub.stop_server("ada", token)
        assert engine.containers() == []
        assert "Traceback" not in hub.log


def test_an_image_that_is_not_allowed_is_refused(engine: Engine, tmp_path: Path) -> None:
    """Images beside the list start nothing, and the page says so."""
    with hub_with(engine, tmp_path, f"c.DockerSpawner.allowed_images = ['{IMAGE}']\n") as hub:
        visitor, token = log_in(hub)
        body = b'{"image": "evil/miner:1"}'
        assert hub.api("POST", "users/ada/server", token=token, body=body).status >= 400
        hub.wait_server("ada", token, running=False)
        assert "evil/miner:1" in visitor.get("hub/spawn-pending/ada").text
        assert engine.containers() == []


def test_a_stopped_container_goes_on_with_its_token(engine: Engine, tmp_path: Path) -> None:
    """Without `remove`, the container is started again, with what it had and the token that it knows."""
    with hub_with(engine, tmp_path) as hub:
        visitor, token = start(hub)
        secret = environment(engine, "jupyter-ada")["JUPYTERHUB_API_TOKEN"]
        first = engine.inspect("jupyter-ada")["Id"]
        engine.run("exec", "jupyter-ada", "sh", "-c", "echo mine >kept.txt")
        hub.stop_server("ada", token)
        assert engine.inspect("jupyter-ada")["State"]["Running"] is False
        assert hub.api("GET", "user", token=secret).status == 403
        visitor.get("hub/spawn/ada")
        hub.wait_server("ada", token)
        assert engine.inspect("jupyter-ada")["Id"] == first
        # The log-in at the server goes by the old token, and so does what it reports.
        assert contents(visitor, "kept.txt") == "mine\n"
        assert hub.api("GET", "user", token=secret).json()["name"] == "ada"
        hub.stop_server("ada", token)


def test_a_killed_hub_finds_its_containers_again(engine: Engine, tmp_path: Path) -> None:
    """After kill -9 the next hub goes on with the same container, and tells when that is killed."""
    with hub_with(engine, tmp_path) as hub:
        visitor, token = start(hub)
        first = engine.inspect("jupyter-ada")["Id"]
        hub.restart()
        hub.wait_server("ada", token)
        assert contents(visitor, "") is not None
        assert engine.inspect("jupyter-ada")["Id"] == first
        engine.run("kill", "jupyter-ada")
        hub.wait_server("ada", token, running=False)
        assert "was killed (SIGKILL)" in visitor.get("hub/home").text


def test_a_hub_killed_during_a_start_leaves_no_container(engine: Engine, tmp_path: Path) -> None:
    """A container whose start was cut off by kill -9 is found by its name, and is removed."""
    with hub_with(engine, tmp_path, SILENT) as hub:
        visitor, token = log_in(hub)
        visitor.get("hub/spawn/ada")
        until(lambda: engine.containers() == ["jupyter-ada"], "a container", every=0.01)
        hub.restart()
        hub.wait_server("ada", token, running=False)
        assert "Failed" in visitor.get("hub/home").text
        assert engine.containers() == []


def test_what_is_missing_is_said_on_the_page(engine: Engine, tmp_path: Path) -> None:
    """An image that does not exist is named on the page."""
    with hub_with(engine, tmp_path, "c.DockerSpawner.image = 'absent.invalid/none:1'\n") as hub:
        visitor, token = log_in(hub)
        visitor.get("hub/spawn/ada")
        hub.wait_server("ada", token, running=False)
        assert re.search(r"image|registry", visitor.get("hub/spawn-pending/ada").text)


def test_carrels_own_server_in_a_container(engine: Engine, tmp_path: Path) -> None:
    """The image may have carrel-client instead of jupyterhub."""
    lines = f"""
c.DockerSpawner.cmd = ['python', '-m', 'carrel_client.singleuser']
c.DockerSpawner.environment = {{'PYTHONPATH': '/carrel'}}
c.DockerSpawner.read_only_volumes = {{'{CLIENT}': '/carrel'}}
"""
    with hub_with(engine, tmp_path, lines) as hub:
        visitor, token = start(hub)
        assert contents(visitor, "") == []
        hub.stop_server("ada", token)


def test_servers_with_their_owners_rights(engine: Engine, tmp_path: Path) -> None:
    """SystemUserSpawner: the container has the owner's home and runs with the owner's uid."""
    with temporary_account() as account:
        home = Path("/home", account.name)
        lines = "c.JupyterHub.spawner_class = 'docker-system-user'\nc.DockerSpawner.remove = True\n"
        with hub_with(engine, tmp_path, lines) as hub:
            visitor, token = start(hub, account.name)
            name = f"jupyter-{account.name.replace('-', '-2d')}"
            (container,) = engine.containers()
            assert name in container or account.name in container
            engine.run("exec", container, "sh", "-c", "echo from within >~/made.txt")
            assert (home / "made.txt").owner() == account.name
            assert contents(visitor, "made.txt", account.name) == "from within\n"
            hub.stop_server(account.name, token)


def test_a_service_of_a_swarm(engine: Engine, tmp_path: Path) -> None:
    """SwarmSpawner: the server is a service of a swarm, and is removed when it stops."""
    engine.run("swarm", "init", "--advertise-addr", "127.0.0.1")
    # By a port of this machine: a mesh over several machines would need rules of the firewall.
    port = {"TargetPort": 8888, "PublishedPort": free_port(), "PublishMode": "host", "Protocol": "tcp"}
    lines = f"""
c.JupyterHub.spawner_class = 'docker-swarm'
c.SwarmSpawner.use_internal_ip = False
c.SwarmSpawner.use_internal_hostname = False
c.SwarmSpawner.extra_endpoint_spec = {{'ports': [{port}]}}
"""
    with hub_with(engine, tmp_path, lines) as hub:
        visitor, token = start(hub)
        assert engine.run("service", "ls", "--format", "{{.Name}} {{.Replicas}}") == "jupyter-ada 1/1"
        assert contents(visitor, "") == []
        hub.stop_server("ada", token)
        assert engine.run("service", "ls", "--quiet") == ""
