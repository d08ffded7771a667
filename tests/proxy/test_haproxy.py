"""HAProxyProxy with a real HAProxy: its table, where requests go, its life, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import pytest
from websockets.asyncio.client import connect

from carrel.domain.routes import Route
from carrel.lib.clock import parse_iso
from carrel.lib.listen import PortInUse
from carrel.proxy.base import ProxyError
from carrel.proxy.haproxy import HAProxyProxy
from carrel.testing.conformance.proxy import NAMES, OTHER, TARGET, ProxyConformance, route, targets
from tests.proxy.engine_rig import certificate_in, driver, fetch, need_haproxy, running, served, upstream
from tests.rigs.curl import curl
from tests.rigs.poll import until
from tests.rigs.processes import is_alive
from tests.rigs.systems import free_port

pytestmark = pytest.mark.real


class TestHAProxy(ProxyConformance):
    pytestmark = pytest.mark.real

    @pytest.fixture
    async def proxy(self, tmp_path: Path) -> AsyncIterator[HAProxyProxy]:
        async with running(tmp_path) as proxy:
            yield proxy


@pytest.fixture
async def hub() -> AsyncIterator[str]:
    async with upstream("hub") as url:
        yield url


@pytest.fixture
async def proxy(tmp_path: Path, hub: str) -> AsyncIterator[HAProxyProxy]:
    async with running(tmp_path, hub_url=hub) as proxy:
        yield proxy


@pytest.fixture
async def ada(proxy: HAProxyProxy) -> AsyncIterator[str]:
    async with upstream("ada") as url:
        await proxy.add_route("/user/ada/", url, {"user": "ada"})
        yield url


def _pid(directory: Path) -> int:
    return int((directory / "haproxy.json").read_text().partition('"pid":')[2].partition(",")[0])


async def _moved(proxy: HAProxyProxy) -> float:
    return parse_iso((await proxy.get_all_routes())["/user/ada/"]["data"]["last_activity"])


async def _moves(proxy: HAProxyProxy, since: float) -> float:
    """Return the activity of ada's route once it is later than `since`."""
    async with asyncio.timeout(20):
        while (now := await _moved(proxy)) == since:
            await asyncio.sleep(0.1)
    return now


async def _rests(proxy: HAProxyProxy) -> float:
    """Return the activity of ada's route once two looks find the same: to look is no activity."""
    async with asyncio.timeout(20):
        seen = await _moved(proxy)
        while (now := await _moved(proxy)) != seen:
            seen = now
    return seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/user/ada/lab", "ada /user/ada/lab"),
        ("/user/ada", "ada /user/ada"),
        ("/user/%61da/a%2Fb", "ada /user/%61da/a%2Fb"),
        ("/user/adam/", "hub /user/adam/"),
        ("/user%2Fada/", "hub /user%2Fada/"),
        ("/user/ada%2Fx/", "hub /user/ada%2Fx/"),
        ("/user//ada/", "hub /user//ada/"),
        ("/", "hub /"),
        ("/user/ada/../bea/", "400"),
        ("/user/ada/%2e%2e/bea/", "400"),
        ("/user/ada/x%2f../bea/", "400"),
        ("/user/ada/..;/bea/", "400"),
        ("/user/ada/%5c..%5cbea/", "400"),
        ("/user/ada/%zz", "400"),
        ("/user/ada/.../x", "ada /user/ada/.../x"),
    ],
)
async def test_where_a_path_leads(proxy: HAProxyProxy, ada: str, path: str, body: str) -> None:
    assert await served(proxy, path) == body


@pytest.mark.parametrize("name", NAMES)
async def test_every_name_is_served(proxy: HAProxyProxy, ada: str, name: str) -> None:
    spec = route(name).spec
    await proxy.add_route(spec, ada, {})
    assert await served(proxy, f"{spec}lab") == f"ada {spec}lab"
    await proxy.delete_route(spec)
    assert await served(proxy, f"{spec}lab") == f"hub {spec}lab"


async def test_the_longest_route_wins(proxy: HAProxyProxy, ada: str) -> None:
    async with upstream("gpu") as gpu:
        await proxy.add_route("/user/ada/gpu/", gpu, {})
        assert await served(proxy, "/user/ada/gpu/x") == "gpu /user/ada/gpu/x"
        assert await served(proxy, "/user/ada/gpus/x") == "ada /user/ada/gpus/x"
        await proxy.delete_route("/user/ada/gpu/")
        assert await served(proxy, "/user/ada/gpu/x") == "ada /user/ada/gpu/x"


async def test_the_route_of_everything_else(proxy: HAProxyProxy, ada: str) -> None:
    await proxy.add_route("/", ada, {"hub": True})
    assert await served(proxy, "/hub/home") == "ada /hub/home"


async def test_an_open_websocket_survives_changes(proxy: HAProxyProxy, ada: str) -> None:
    async with upstream("new") as new, connect(f"ws://127.0.0.1:{proxy.port}/user/ada/ws") as websocket:
        await proxy.put_routes({"/user/ada/": Route("/user/ada/", new), "/user/bea/": route("bea")})
        assert await served(proxy, "/user/ada/") == "new /user/ada/"
        await proxy.delete_route("/user/ada/")
        await websocket.send("still here")
        assert await websocket.recv() == "still here"


async def test_a_server_that_is_gone(proxy: HAProxyProxy) -> None:
    await proxy.add_route("/user/ada/", f"http://127.0.0.1:{free_port()}", {})
    status, answer = await fetch(proxy, "/user/ada/lab")
    assert status == 503
    assert "retry-after: 5" in answer.lower()
    assert "<a href=/hub/home>" in answer


async def test_what_the_server_hears_of_the_visitor(proxy: HAProxyProxy, ada: str) -> None:
    _, answer = await fetch(proxy, "/user/ada/", "X-Forwarded-For: 10.1.1.1", "X-Forwarded-For: 10.2.2.2")
    heard = unquote(answer)
    assert "'x-forwarded-for': '10.2.2.2,127.0.0.1'" in heard
    assert "'x-forwarded-proto': 'http'" in heard
    assert "'x-forwarded-host': 'hub.example'" in heard
    assert f"'x-forwarded-port': '{proxy.port}'" in heard


async def test_requests_are_activity_and_errors_are_not(proxy: HAProxyProxy, ada: str) -> None:
    begun = await _moved(proxy)
    for status in (302, 404, 500):
        assert (await fetch(proxy, f"/user/ada/?{status}"))[0] == status
    assert await _moved(proxy) == begun
    await served(proxy, "/user/ada/api")
    assert await _moves(proxy, begun) > begun


async def test_an_open_websocket_is_activity(proxy: HAProxyProxy, ada: str) -> None:
    begun = await _moved(proxy)
    async with connect(f"ws://127.0.0.1:{proxy.port}/user/ada/ws", ping_interval=None) as websocket:
        await _moves(proxy, begun)
        # Its request and the bytes of that may be counted one after the other.
        opened = await _rests(proxy)
        await websocket.send("typing")
        await websocket.recv()
        assert await _moves(proxy, opened) > opened


async def test_the_next_hub_takes_it_over(tmp_path: Path, proxy: HAProxyProxy, ada: str) -> None:
    pid, begun = _pid(tmp_path), await _moved(proxy)
    await proxy.close()
    following = driver(tmp_path, proxy.port, hub_url=proxy.hub_url)
    assert await following.start()
    assert await following.start() is False
    assert _pid(tmp_path) == pid
    assert await targets(following) == {"/user/ada/": ada}
    assert await _moved(following) == begun
    await following.close()


async def test_other_settings_replace_it_and_websockets_go_on(
    tmp_path: Path, proxy: HAProxyProxy, ada: str
) -> None:
    pid = _pid(tmp_path)
    async with connect(f"ws://127.0.0.1:{proxy.port}/user/ada/ws") as websocket:
        following = driver(
            tmp_path, proxy.port, hub_url=proxy.hub_url, extra_frontend="http-request set-header X-Extra yes"
        )
        assert await following.start()
        assert _pid(tmp_path) != pid
        assert "'x-extra': 'yes'" in unquote((await fetch(following, "/user/ada/"))[1])
        await websocket.send("still here")
        assert await websocket.recv() == "still here"
    until(lambda: not is_alive(pid), "the old HAProxy to end with its last connection")
    await following.close()


async def test_after_kill_9_the_stored_routes_are_served(
    tmp_path: Path, proxy: HAProxyProxy, ada: str
) -> None:
    await proxy.add_route("/user/a%20b/", ada, {})
    pid = _pid(tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "HAProxy to be gone")
    with pytest.raises(ProxyError, match="does not answer"):
        await proxy.delete_route("/user/ada/")
    assert await proxy.start()
    assert await served(proxy, "/user/a%20b/x") == "ada /user/a%20b/x"
    assert await targets(proxy) == {"/user/ada/": ada, "/user/a%20b/": ada}


async def test_a_snapshot_of_thousands(proxy: HAProxyProxy) -> None:
    wanted = {each.spec: each for each in (route(f"user{number}") for number in range(3000))}
    await proxy.put_routes(wanted)
    assert len(await targets(proxy)) == 3000
    await proxy.put_routes({})
    assert await targets(proxy) == {}


async def test_stopping(tmp_path: Path, proxy: HAProxyProxy) -> None:
    pid = _pid(tmp_path)
    assert await proxy.stop() is True
    assert not is_alive(pid)
    assert await proxy.stop() is False


async def test_bad_targets(proxy: HAProxyProxy, caplog: pytest.LogCaptureFixture) -> None:
    for target, why in {
        "https://127.0.0.1:1": "http://HOST:PORT alone",
        "http://127.0.0.1:1/below": "http://HOST:PORT alone",
        "http://127.0.0.1:x": "not a URL",
        "http://[fe80::1%a;clear map]:1": "http://HOST:PORT alone",
        "http://no-such-host.invalid:1": "cannot be found",
        "http://a..b:1": "cannot be found",
    }.items():
        with pytest.raises(ProxyError, match=why):
            await proxy.add_route("/user/ada/", target, {})
    await proxy.put_routes({"/user/ada/": route("ada", "https://x"), "/user/bea/": route("bea")})
    assert await targets(proxy) == {"/user/bea/": TARGET}
    assert "Route /user/ada/ is left as it is" in caplog.text


async def test_data_that_haproxy_cannot_hold(proxy: HAProxyProxy, ada: str) -> None:
    with pytest.raises(ProxyError, match="longer than"):
        await proxy.add_route("/user/bea/", TARGET, {"long": "x" * 20_000})
    assert await targets(proxy) == {"/user/ada/": ada}


async def test_a_port_in_use(tmp_path: Path) -> None:
    need_haproxy()
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            await driver(tmp_path, port).start()


async def test_no_such_program(tmp_path: Path) -> None:
    with pytest.raises(ProxyError, match=r"apt install haproxy.*HAProxyProxy\.command"):
        await driver(tmp_path, 1, command="no-such-program").start()


async def test_lines_that_haproxy_does_not_understand(tmp_path: Path) -> None:
    need_haproxy()
    bad = driver(tmp_path, free_port(), extra_frontend="no-such-keyword 1")
    for _ in range(2):
        with pytest.raises(ProxyError, match="no-such-keyword"):
            await bad.start()


async def test_a_directory_that_haproxy_cannot_name(tmp_path: Path) -> None:
    with pytest.raises(ProxyError, match="choose another runtime_dir"):
        await driver(tmp_path / "a b", 1).start()


async def test_one_that_somebody_else_runs(tmp_path: Path, proxy: HAProxyProxy) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    external = driver(
        elsewhere,
        proxy.port,
        should_start=False,
        runtime_socket=str(tmp_path / "haproxy.sock"),
        map_file=str(tmp_path / "haproxy-routes.map"),
    )
    assert await external.start()
    await external.add_route("/user/ada/", OTHER, {})
    assert await targets(proxy) == {"/user/ada/": OTHER}
    assert await external.stop() is False
    assert is_alive(_pid(tmp_path))
    external.map_file = "/no-such.map"
    with pytest.raises(ProxyError, match=r"has no map /no-such\.map.*HAProxyProxy\.map_file"):
        await external.get_all_routes()
    external.runtime_socket = str(tmp_path / "no.sock")
    with pytest.raises(ProxyError, match="should_start"):
        await external.start()


async def test_the_hubs_certificate_is_served(tmp_path: Path, hub: str) -> None:
    _, certificate = certificate_in(tmp_path)
    files = {"ssl_cert": str(certificate), "ssl_key": str(tmp_path / "key.pem")}
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with running(tmp_path, hub_url=hub, **files) as proxy, aiohttp.ClientSession() as client:
        async with client.get(f"https://localhost:{proxy.port}/hub/", ssl=trusting) as reply:
            assert await reply.text() == "hub /hub/"
        pair = tmp_path / "haproxy-tls.pem"
        assert pair.stat().st_mode & 0o777 == 0o600
        pid = _pid(tmp_path)
        assert await proxy.start() is False
        certificate_in(tmp_path)
        assert await proxy.start() is True
        assert _pid(tmp_path) != pid
        renewed = ssl.create_default_context(cafile=str(certificate))
        async with client.get(f"https://localhost:{proxy.port}/hub/", ssl=renewed) as reply:
            assert reply.status == 200


async def test_tls_by_the_bind_line(tmp_path: Path, hub: str) -> None:
    both, certificate = certificate_in(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with (
        running(tmp_path, hub_url=hub, bind_options=f"ssl crt {both} alpn h2,http/1.1") as proxy,
        aiohttp.ClientSession() as client,
        client.get(f"https://localhost:{proxy.port}/hub/", ssl=trusting) as reply,
    ):
        assert await reply.text() == "hub /hub/"
        assert "'x-forwarded-proto': 'https'" in unquote(reply.headers["X-Seen"])
        for version in ("2", "1.1"):
            told = ("--output", "/dev/null", "--write-out", "%{http_version} %{http_code}")
            url = f"https://localhost:{proxy.port}/hub/"
            assert await curl(f"--http{version}", "--cacert", str(certificate), *told, url) == (
                0,
                f"{version} 200",
            )
