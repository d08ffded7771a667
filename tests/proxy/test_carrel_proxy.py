"""CarrelProxy with a real data plane: its table, its life, and what it leaves for the next hub."""

from __future__ import annotations

import asyncio
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

from carrel.domain.routes import Route
from carrel.lib.listen import PortInUse
from carrel.proxy.base import OutOfStep, ProxyError, Unmovable
from carrel.proxy.chp import ConfigurableHTTPProxy
from carrel.proxy.embedded import CarrelProxy
from carrel.testing.conformance.proxy import OTHER, TARGET, ProxyConformance, route, targets
from tests.dataplane.authority import Authority
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
    return int(msgspec.json.decode((directory / "proxy.json").read_bytes())["pid"])


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


async def test_a_stand_in_starts_nothing(tmp_path: Path, ports: list[int], proxy: CarrelProxy) -> None:
    await proxy.add_route("/user/ada/", TARGET, {})
    stand_in = _driver(tmp_path, ports)
    await stand_in.delete_route("/user/ada/")
    assert await proxy.get_all_routes() == {}
    await stand_in.close()


async def test_other_settings_replace_it(tmp_path: Path, ports: list[int], proxy: CarrelProxy) -> None:
    pid = _pid(tmp_path)
    following = _driver(tmp_path, ports, hub_url="http://127.0.0.1:10", workers=3)
    assert await following.start()
    assert _pid(tmp_path) != pid
    status = await following._status()
    assert status is not None
    assert len(status["workers"]) == 3
    until(lambda: not is_alive(pid), "the other one to be gone")
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
            with pytest.raises(PortInUse, match=f":{ports[which]}/? is in use") as told:
                await proxy.start()
            assert str(ports[1 - which]) not in str(told.value)
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


ADA, BEA = route("ada"), route("bea")


def _table(*routes: Route) -> dict[str, Route]:
    return {each.spec: each for each in routes}


async def _ask(proxy: CarrelProxy, method: str, path: str, body: object = None) -> Any:
    """Ask the data plane as somebody else would."""
    token = {"Authorization": f"token {proxy.auth_token}"}
    async with (
        aiohttp.ClientSession(headers=token) as client,
        client.request(method, f"{proxy.api_url}{path}", json=body) as reply,
    ):
        return await reply.json() if method == "GET" else reply.status


async def _changes(proxy: CarrelProxy) -> int:
    """Return how often the table has changed."""
    return int((await _ask(proxy, "GET", "/api/status"))["table"])


async def test_what_the_table_holds_already_is_not_sent_again(proxy: CarrelProxy) -> None:
    await proxy.put_routes(_table(ADA))
    await proxy.add_route(BEA.spec, BEA.target, BEA.data)
    calls = _calls(proxy)
    await proxy.put_routes(_table(ADA, BEA))
    assert [method for method, _ in calls] == ["GET"]
    await proxy.put_routes(_table(BEA))
    assert [method for method, _ in calls] == ["GET", "PUT"]
    assert await targets(proxy) == {BEA.spec: TARGET}
    assert await proxy.start() is False


def _calls(proxy: CarrelProxy) -> list[tuple[str, str]]:
    """Return a list to which all further calls of the driver are added."""
    calls: list[tuple[str, str]] = []
    call = proxy._call

    async def noted(method: str, path: str, *rest: Any) -> Any:
        calls.append((method, path))
        return await call(method, path, *rest)

    proxy._call = noted  # type: ignore[assignment,method-assign]
    return calls


async def _served_name(port: int, authority: Authority) -> str:
    """Return the name in the certificate that browsers are shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.visitor())
    shown = writer.get_extra_info("peercert")
    writer.transport.abort()
    return str(dict(pair[0] for pair in shown["subject"])["commonName"])


async def test_a_renewed_certificate_is_served_and_connections_stay(tmp_path: Path, ports: list[int]) -> None:
    authority = Authority(tmp_path)
    used, renewed = authority.sign("used"), authority.sign("renewed")
    proxy = _driver(tmp_path, ports, ssl_cert=str(used.cert), ssl_key=str(used.key), workers=2)
    await proxy.start()
    try:
        pid = _pid(tmp_path)
        assert await _served_name(ports[0], authority) == "used"
        renewed.cert.replace(used.cert)
        await proxy.start()
        # The key is still the old one: what does not fit together is not used.
        assert await _served_name(ports[0], authority) == "used"
        renewed.key.replace(used.key)
        assert await proxy.start() is False
        async with asyncio.timeout(30):
            while await _served_name(ports[0], authority) != "renewed":
                await asyncio.sleep(0.05)
        assert _pid(tmp_path) == pid
    finally:
        await proxy.stop()
        await proxy.close()


async def test_options_of_configurable_http_proxys_command_are_passed_on(
    tmp_path: Path, ports: list[int]
) -> None:
    command = ["/usr/bin/node", "/opt/configurable-http-proxy", "--custom-header", "X-House: ours"]
    proxy = _driver(tmp_path, ports, command=command)
    await proxy.start()
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{ports[0]}/_chp_healthz") as reply,
        ):
            assert reply.status == 200
        assert proxy._arguments()[:2] == ["--custom-header", "X-House: ours"]
        # Without a certificate there is no HTTPS to lead anybody to.
        proxy.command = ["carrel-proxy", "--redirect-port", "80", "--redirect-to=443", "--insecure"]
        assert proxy._arguments()[:2] == ["--insecure", "--ip"]
    finally:
        await proxy.stop()
    proxy.command = ["configurable-http-proxy", "--no-such-flag"]
    with pytest.raises(ProxyError, match=r"options that carrel-proxy does not take: .*no-such-flag"):
        await proxy.start()
    await proxy.close()


async def test_a_foreign_change_is_noticed_and_undone(proxy: CarrelProxy) -> None:
    await proxy.put_routes(_table(ADA))
    assert await _ask(proxy, "DELETE", "/api/routes/user/ada") == 204
    assert await proxy.start() is True
    await proxy.put_routes(_table(ADA))
    assert await targets(proxy) == {ADA.spec: TARGET}
    assert await proxy.start() is False


async def test_a_foreign_change_between_two_of_ours_is_noticed(proxy: CarrelProxy) -> None:
    await proxy.put_routes(_table(ADA))
    assert await _ask(proxy, "POST", "/api/routes/user/ada", {"target": OTHER}) == 201
    await proxy.add_route(BEA.spec, BEA.target, BEA.data)
    assert await proxy.start() is True


async def test_a_change_that_was_lost_is_noticed_with_the_next(proxy: CarrelProxy) -> None:
    await proxy.put_routes(_table(ADA))
    api, proxy.api_url = proxy.api_url, f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ProxyError):
        await proxy.delete_route(ADA.spec)
    proxy.api_url = api
    with pytest.raises(OutOfStep, match="missed a change"):
        await proxy.add_route(BEA.spec, BEA.target, BEA.data)
    assert await targets(proxy) == {ADA.spec: TARGET}
    assert await proxy.start() is True
    await proxy.put_routes(_table(BEA))
    await proxy.add_route(ADA.spec, ADA.target, ADA.data)
    assert await targets(proxy) == {ADA.spec: TARGET, BEA.spec: TARGET}


async def test_a_data_plane_that_lost_its_file_takes_no_change_before_the_table(
    tmp_path: Path, proxy: CarrelProxy
) -> None:
    await proxy.put_routes(_table(ADA))
    pid = _pid(tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "the data plane to be gone")
    (tmp_path / "routes.json").unlink()
    following = _driver(tmp_path, [proxy.port, int(proxy.api_url.rpartition(":")[2])])
    assert await following.start()
    with pytest.raises(OutOfStep):
        await proxy.add_route(BEA.spec, BEA.target, BEA.data)
    assert await targets(proxy) == {}
    assert await proxy.start() is True
    await following.close()


async def test_two_hubs_with_the_same_rows_come_to_rest(
    tmp_path: Path, ports: list[int], proxy: CarrelProxy
) -> None:
    other = _driver(tmp_path, ports)
    await other.start()
    await proxy.put_routes(_table(ADA))
    await other.put_routes(_table(ADA))
    assert [await proxy.start(), await other.start()] == [False, False]
    await other.add_route(BEA.spec, BEA.target, BEA.data)
    assert [await proxy.start(), await other.start()] == [True, False]
    changes = await _changes(proxy)
    await proxy.put_routes(_table(ADA, BEA))
    await proxy.delete_route("/user/nobody/")
    assert [await proxy.start(), await other.start()] == [False, False]
    assert await _changes(proxy) == changes
    await other.close()


async def test_two_hubs_with_different_rows_each_set_their_own(
    tmp_path: Path, ports: list[int], proxy: CarrelProxy
) -> None:
    other = _driver(tmp_path, ports)
    await other.start()
    for _ in range(2):
        for hub, wanted in ((proxy, ADA), (other, BEA)):
            await hub.put_routes(_table(wanted))
            assert await targets(hub) == {wanted.spec: TARGET}
    assert [await proxy.start(), await other.start()] == [True, False]
    await other.close()


async def test_one_that_somebody_else_runs_can_be_elsewhere(tmp_path: Path) -> None:
    here, there = _free_ports(2), _free_ports(2)
    (tmp_path / "there").mkdir()
    async with _running(tmp_path, here) as own, _running(tmp_path / "there", there) as other:
        proxy = _driver(tmp_path, here, should_start=False, auth_token=own.auth_token)
        await proxy.start()
        await proxy.add_route("/user/ada/", TARGET, {})
        for place, token in ((f"http://127.0.0.1:{free_port()}", None), (other.api_url, "wrong")):
            with pytest.raises(ProxyError):
                await proxy.move(place, token)
        # What did not answer has changed nothing.
        assert await targets(proxy) == {"/user/ada/": TARGET}
        await proxy.move(f"{other.api_url}/", other.auth_token)
        assert await proxy.get_all_routes() == {}
        assert await proxy.start()
        await proxy.put_routes({"/user/bea/": Route("/user/bea/", OTHER)})
        assert await targets(other) == {"/user/bea/": OTHER}
        assert await targets(own) == {"/user/ada/": TARGET}


async def test_the_hubs_own_stays_where_it_is() -> None:
    with pytest.raises(Unmovable, match="should_start"):
        await CarrelProxy().move("http://127.0.0.1:1", None)
