"""How an engine is spoken to: versions, TLS, errors; and a pull, from a stand-in for want of a registry."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from carrel.spawners.docker.address import EngineAddress, Tls
from carrel.spawners.docker.engine import Engine, EngineAway, EngineError
from carrel.spawners.docker.registry import pull_headers
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.errors import StartError
from tests.dataplane.authority import Authority
from tests.rigs.docker_engine import Engine as RealEngine
from tests.spawners.docker.rig import configuration, shared, spawner_of

pytestmark = pytest.mark.real
REGISTRY = "registry.example.org:5000"
LAYERS = (
    {"status": "Pulling from lab", "id": "2"},
    {"status": "Pulling fs layer", "id": "a1"},
    {"status": "Downloading", "id": "a1", "progressDetail": {"current": 5, "total": 10}},
    {"status": "Pull complete", "id": "a1"},
)


class StandIn:
    """An engine that has no image and pulls whatever it is asked for, or says `error`."""

    def __init__(self, version: str = "1.41", error: str = "") -> None:
        self.asked: list[str] = []
        self.credentials = ""
        self.over = asyncio.Event()
        self._version, self._error = version, error

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/_ping":
            return web.Response(headers={"Api-Version": self._version} if self._version else {})
        if request.path.endswith("/images/create"):
            return await self._pull(request)
        if request.path.endswith("/teapot"):
            return web.Response(status=418, text="short and stout")
        if request.path.endswith("/never"):
            await self.over.wait()
        return web.json_response({"message": f"no such thing: {request.path}"}, status=404)

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        self.credentials = request.headers.get("X-Registry-Auth", "")
        reply = web.StreamResponse()
        await reply.prepare(request)
        lines = [*LAYERS, {"error": self._error}] if self._error else LAYERS
        # Lines do not come in pieces of their own.
        text = "\r\n".join(json.dumps(line) for line in lines).encode()
        for part in (text[:50], text[50:]):
            await reply.write(part)
        return reply


@asynccontextmanager
async def listening(stand_in: StandIn, directory: Path) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stand_in.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    socket = f"{directory}/e.sock"
    await web.UnixSite(runner, socket).start()
    try:
        yield f"unix://{socket}"
    finally:
        stand_in.over.set()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("theirs", "spoken"), [("1.41", "v1.41"), ("1.99", "v1.47"), ("", "v1.24"), ("x", "v1.24")]
)
async def test_the_older_version_is_spoken(tmp_path: Path, theirs: str, spoken: str) -> None:
    stand_in = StandIn(theirs)
    async with listening(stand_in, tmp_path) as url:
        engine = Engine(EngineAddress(url))
        for _ in range(2):
            with pytest.raises(EngineError, match="no such thing"):
                await engine.call("GET", "containers/x/json")
        await engine.close()
    assert stand_in.asked == ["GET /_ping", *[f"GET /{spoken}/containers/x/json"] * 2]


async def test_errors_are_the_engines_own_words(tmp_path: Path) -> None:
    async with listening(StandIn(), tmp_path) as url:
        engine = Engine(EngineAddress(url))
        with pytest.raises(EngineError, match="short and stout") as caught:
            await engine.call("GET", "teapot")
        assert caught.value.status == 418
        with pytest.raises(EngineAway, match=r"no answer within 0\.05 s"):
            await engine.call("GET", "never", seconds=0.05)
        await engine.close()


async def test_a_pull_is_told_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = base64.b64encode(b"ada:word").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {REGISTRY: {"auth": secret}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    stand_in = StandIn(error="toomanyrequests: You have reached your pull rate limit.")
    async with listening(stand_in, tmp_path) as url, shared() as held:
        config = configuration(RealEngine(url, ""), image=f"{REGISTRY}/lab:2")
        driver = spawner_of(DockerSpawner, config, held)
        start = asyncio.create_task(driver.start())
        told = [event async for event in until_hundred(driver)]
        with pytest.raises(EngineError, match="pull rate limit"):
            await start
    image = f"{REGISTRY}/lab:2"
    assert told == [
        {"progress": 20, "message": f"Pulling {image}"},
        {"progress": 20, "message": f"Pulling {image}: 0 % (0 of 1 layers)"},
        {"progress": 32, "message": f"Pulling {image}: 35 % (0 of 1 layers)"},
        {"progress": 55, "message": f"Pulling {image}: 100 % (1 of 1 layers)"},
    ]
    sent = json.loads(base64.urlsafe_b64decode(stand_in.credentials))
    assert sent == {"username": "ada", "password": "word", "serveraddress": REGISTRY}


async def until_hundred(driver: DockerSpawner) -> AsyncIterator[dict[str, Any]]:
    async for event in driver.progress():
        yield event
        if "100 %" in event["message"]:
            return


async def test_credentials_of_helpers_and_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-box"
    answer = json.dumps({"Username": "ada", "Secret": "of $registry"}).replace('"', '\\"')
    helper.write_text(f'#!/bin/sh\nread registry\necho "{answer}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert await pull_headers(REGISTRY, environ) == {}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {REGISTRY: "box"}}))
    sent = json.loads(base64.urlsafe_b64decode((await pull_headers(REGISTRY, environ))["X-Registry-Auth"]))
    assert (sent["username"], sent["password"]) == ("ada", f"of {REGISTRY}")
    assert await pull_headers("quay.io", environ) == {}
    config.write_text(json.dumps({"credsStore": "absent"}))
    with pytest.raises(StartError, match="docker-credential-absent"):
        await pull_headers(REGISTRY, environ)
    config.write_text("{")
    with pytest.raises(StartError, match=r"config\.json cannot be read"):
        await pull_headers(REGISTRY, environ)


async def test_a_real_engine_behind_tls(engine: RealEngine, tmp_path: Path) -> None:
    """Both sides show certificates; a stranger's is not believed, and who shows none hears nothing."""
    authority = Authority(tmp_path)
    server, client = authority.sign("engine"), authority.sign("hub")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(engine.socket.removeprefix("unix://"))
        ways = [asyncio.create_task(pump(reader, outer)), asyncio.create_task(pump(inner, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        outer.close()
        writer.close()

    tls = authority.server(server, ask=True)
    door = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{door.sockets[0].getsockname()[1]}"
    known = Tls(str(authority.own.cert), str(client.cert), str(client.key))
    strangers = (Tls(str(authority.own.cert)), Tls("", str(client.cert), str(client.key)))
    try:
        there = Engine(EngineAddress(url, known))
        assert (await there.call("GET", "version"))["ApiVersion"]
        await there.close()
        for other in strangers:
            away = Engine(EngineAddress(url, other, timeout=5))
            with pytest.raises(EngineAway):
                await away.call("GET", "version")
            await away.close()
    finally:
        door.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
