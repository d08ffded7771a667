"""jupyterhub-traefik-proxy drives a real Traefik: routes by its file provider and by Redis, websockets,
a Traefik that dies, and hubs that come and go."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.proxy.engine_rig import traefik_program
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import free_port

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "jupyterhub-traefik-proxy"
BACK_END = "Traefik 3 by its file provider and by Redis"
NOTES = (
    "Set `traefik_api_password`: without it the package cannot go on after a hub that was killed.",
    "etcd and consul were not run.",
)


@contextmanager
def hub_behind(name: str, directory: Path, lines: str = "") -> Iterator[HubProcess]:
    """Run a hub with the proxy that the plug-in calls `name`; `lines` are settings."""
    need_plugins()
    with pytest.MonkeyPatch.context() as patch:
        # The plug-in takes the program from there.
        patch.setenv("PATH", f"{Path(traefik_program()).parent}{os.pathsep}{os.environ['PATH']}")
        config = class_config(directory, STUB) + (
            f"c.JupyterHub.proxy_class = {name!r}\nproxy = c.TraefikProxy\n"
            f"proxy.traefik_api_url = 'http://127.0.0.1:{free_port()}'\n"
            # Without one, a Traefik whose hub was killed cannot be followed by another one.
            f"proxy.traefik_api_password = 'secret of the tests'\n{lines}"
        )
        with HubProcess(carrel_with_plugins(), directory, config) as hub:
            yield hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    with hub_behind("traefik_file", tmp_path) as hub:
        yield hub


def started(hub: HubProcess, user: str = "ada") -> str:
    """Log in, start the user's server and return an API token."""
    assert hub.visitor().log_in(user, PASSWORD).location
    token = hub.token(user)
    assert hub.api("POST", f"users/{user}/server", token=token).status in (201, 202)
    hub.wait_server(user, token)
    return token


def page(hub: HubProcess, user: str = "ada") -> str:
    """Return what a user's server answers, empty when nothing does."""
    try:
        return hub.visitor().get(f"user/{user}/page", timeout=5).text
    except OSError:
        return ""


def traefiks(hub: HubProcess) -> list[int]:
    return [pid for pid in hub.proxies() if processes.command_line(pid).startswith("traefik ")]


async def said_over_a_websocket(hub: HubProcess, text: str) -> str | bytes:
    async with connect(f"ws://127.0.0.1:{hub.ports.public}/user/ada/ws") as websocket:
        await websocket.send(text)
        return await websocket.recv()


def test_a_server_is_started_used_and_stopped(hub: HubProcess) -> None:
    token = started(hub)
    first = page(hub)
    assert first.startswith("ada ")
    assert asyncio.run(said_over_a_websocket(hub, "hello")) == "hello"
    assert hub.api("DELETE", "users/ada/server", token=token).status in (202, 204)
    hub.wait_server("ada", token, running=False)
    until(lambda: not page(hub).startswith("ada "), "the route to be gone")


def test_it_serves_on_while_there_is_no_hub_and_the_next_one_has_its_own(hub: HubProcess) -> None:
    started(hub)
    first = page(hub)
    (old,) = traefiks(hub)
    hub.kill9()
    assert page(hub) == first
    hub.start()
    until(lambda: traefiks(hub) not in ([], [old]), "another Traefik")
    until(lambda: page(hub) == first, "the route of the server that ran on")
    until(lambda: len(traefiks(hub)) == 1, "the old Traefik to be gone")
    hub.terminate()
    assert traefiks(hub) == []
    hub.start()
    until(lambda: page(hub) == first, "the route once more")


def test_one_that_dies_is_started_again_with_its_routes(hub: HubProcess) -> None:
    started(hub)
    first = page(hub)
    (pid,) = traefiks(hub)
    os.kill(pid, signal.SIGKILL)
    until(lambda: page(hub) == first, "the server behind another Traefik", 45)
    assert traefiks(hub) != [pid]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[int]:
    """The port of a Redis of this test's own."""
    program = shutil.which("redis-server")
    need(program, "redis-server")
    port = free_port()
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    options = ["--save", "", "--notify-keyspace-events", "KEA"]
    with subprocess.Popen([str(program), *where, *options], stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: _listens(port), "Redis to listen")
            yield port
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_routes_by_redis(tmp_path: Path, redis: int) -> None:
    with hub_behind("traefik_redis", tmp_path, f"proxy.redis_url = 'redis://127.0.0.1:{redis}'\n") as hub:
        token = started(hub)
        assert page(hub).startswith("ada ")
        assert hub.api("DELETE", "users/ada/server", token=token).status in (202, 204)
        until(lambda: not page(hub).startswith("ada "), "the route to be gone")


def test_the_classes_that_were_not_run_are_made_of_carrels() -> None:
    need_plugins()
    code = (
        "from carrel.compat.imports import install; install()\n"
        "from carrel.proxy.plugin import PluginProxy\n"
        "from jupyterhub_traefik_proxy.toml import TraefikTomlProxy\n"
        "import kubespawner.proxy as kube\n"
        "for made in (TraefikTomlProxy, kube.KubeIngressProxy): assert issubclass(made, PluginProxy)\n"
    )
    system = carrel_with_plugins()
    subprocess.run([system.command[0], "-c", code], env=os.environ | dict(system.environment), check=True)
