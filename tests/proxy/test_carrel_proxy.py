"""CarrelProxy with a real data plane: its table, its life, and what it leaves for the next hub."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from carrel.lib.listen import PortInUse
from carrel.proxy.base import ProxyError
from carrel.proxy.chp import ConfigurableHTTPProxy
from carrel.proxy.embedded import CarrelProxy
from carrel.testing.conformance.proxy import OTHER, TARGET, ProxyConformance, targets
from tests.rigs.poll import until
from tests.rigs.processes import is_alive
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real


def _free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def _driver(directory: Path, ports: list[int], **values: Any) -> CarrelProxy:
    public, api = ports
    fixed = {
        "ip": "127.0.0.1",
        "port": public,
        "api_url": f"http://127.0.0.1:{api}",
        "public_url": f"http://127.0.0.1:{public}/",
        "directory": str(directory),
        "hub_url": "http://127.0.0.1:9",
        "error_target": "http://127.0.0.1:9/hub/error",
    }
    return CarrelProxy(**fixed | values)


def _pid(directory: Path) -> int:
    status = msgspec.json.decode((directory / "proxy.json").read_bytes(), type=dict[str, Any])
    return int(status["pid"])


@asynccontextmanager
async def _running(directory: Path, ports: list[int]) -> AsyncIterator[CarrelProxy]:
    """Run the block with a data plane, and end whatever data plane there is then."""
    proxy = _driver(directory, ports)
    assert await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        await proxy.close()


@pytest.fixture
def ports() -> list[int]:
    return _free_ports(2)


@pytest.fixture
async def proxy(tmp_path: Path, ports: list[int]) -> AsyncIterator[CarrelProxy]:
    async with _running(tmp_path, ports) as proxy:
        yield proxy


class TestCarrelProxy(ProxyConformance):
    pytestmark = pytest.mark.real

    @pytest.fixture
    async def proxy(self, tmp_path: Path, ports: list[int]) -> AsyncIterator[CarrelProxy]:
        async with _running(tmp_path, ports) as proxy:
            yield proxy


class TestTheRestApi(ProxyConformance):
    """The same data plane as configurable-http-proxy's drivers see it."""

    pytestmark = pytest.mark.real

    @pytest.fixture
    async def proxy(self, tmp_path: Path, ports: list[int]) -> AsyncIterator[ConfigurableHTTPProxy]:
        async with _running(tmp_path, ports) as running:
            driver = ConfigurableHTTPProxy(api_url=running.api_url, auth_token=running.auth_token)
            yield driver
            await driver.close()

    async def test_routes_of_others_are_left_alone(self, proxy: ConfigurableHTTPProxy) -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"token {proxy.auth_token}"}) as client:
            foreign = f"{proxy.api_url}/api/routes/other"
            async with client.post(foreign, json={"target": OTHER}) as reply:
                assert reply.status == 201
            await proxy.add_route("/user/ada/", TARGET, {})
            assert await targets(proxy) == {"/user/ada/": TARGET}
            await proxy.put_routes({})
            async with client.get(foreign) as reply:
                assert reply.status == 200

    async def test_a_wrong_token_is_refused_and_not_repeated(self, proxy: ConfigurableHTTPProxy) -> None:
        intruder = ConfigurableHTTPProxy(api_url=proxy.api_url, auth_token="guessed-token")
        with pytest.raises(ProxyError) as error:
            await intruder.start()
        assert "guessed-token" not in str(error.value)
        await intruder.close()


async def test_the_next_hub_takes_the_data_plane_over(
    tmp_path: Path, ports: list[int], proxy: CarrelProxy
) -> None:
    await proxy.add_route("/user/ada/", TARGET, {})
    pid = _pid(tmp_path)
    following = _driver(tmp_path, ports)
    assert await following.start()
    assert await following.start() is False
    assert _pid(tmp_path) == pid
    assert await targets(following) == {"/user/ada/": TARGET}
    await following.close()


async def test_other_settings_replace_it(tmp_path: Path, ports: list[int], proxy: CarrelProxy) -> None:
    pid = _pid(tmp_path)
    following = _driver(tmp_path, ports, hub_url="http://127.0.0.1:10", workers=3)
    assert await following.start()
    assert _pid(tmp_path) != pid
    status = await following._status()
    assert status is not None
    assert len(status["workers"]) == 3
    assert not is_alive(pid)
    await following.stop()
    await following.close()


async def test_stopping(tmp_path: Path, ports: list[int]) -> None:
    proxy = _driver(tmp_path, ports)
    assert await proxy.stop() is False
    await proxy.start()
    pid = _pid(tmp_path)
    assert await proxy.stop() is True
    assert not is_alive(pid)
    assert await proxy.stop() is False
    await proxy.close()


@pytest.mark.parametrize("which", [0, 1])
async def test_a_port_in_use(tmp_path: Path, ports: list[int], which: int) -> None:
    with closing(socket.create_server(("127.0.0.1", ports[which]))):
        proxy = _driver(tmp_path, ports)
        try:
            with pytest.raises((PortInUse, ProxyError), match=str(ports[which])):
                await proxy.start()
        finally:
            await proxy.close()


async def test_its_token_is_for_the_owner_alone(tmp_path: Path, ports: list[int], proxy: CarrelProxy) -> None:
    file = tmp_path / "proxy-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == proxy.auth_token
    assert len(proxy.auth_token) == 64
    arguments = (tmp_path / "proxy-arguments.json").read_text()
    assert proxy.auth_token not in arguments


async def test_after_kill_9_the_stored_routes_are_served(
    tmp_path: Path, ports: list[int], proxy: CarrelProxy
) -> None:
    await proxy.add_route("/user/ada/", TARGET, {"user": "ada"})
    pid = _pid(tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "the data plane to be gone")
    assert await proxy.start()
    assert _pid(tmp_path) != pid
    assert await targets(proxy) == {"/user/ada/": TARGET}
