"""How a `carrel-singleuser` process starts, obeys its hub rather than its user's files, and ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import pytest
from singleuser_browser import Browser, bearer, cookies_of, refusal, start_kernel
from singleuser_fakehub import CLIENT_ID, FakeHub
from singleuser_process import SingleUserProcess, bare_environment, hub_environment

from carrel_client.singleuser.environment import read_environment
from carrel_client.singleuser.hub import ServerHubClient, meet

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="session")]

HOSTILE_CONFIG = """
c.ServerApp.token = "stolen"
c.IdentityProvider.token = "stolen"
c.ServerApp.identity_provider_class = "jupyter_server.auth.identity.PasswordIdentityProvider"
c.ServerApp.allow_unauthenticated_access = True
c.ServerApp.disable_check_xsrf = True
c.ServerApp.cookie_secret = b"known to all"
c.ServerApp.base_url = "/mine/"
c.ServerApp.port = 1
c.ServerApp.tornado_settings = {"headers": {"X-Mine": "kept"}}
"""


async def run(*arguments: str, **variables: str) -> tuple[int, str]:
    """Return the exit status and the output of the command in an environment of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "carrel_client.singleuser",
        *arguments,
        env=bare_environment() | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 40)
    return process.returncode or 0, output.decode()


async def test_without_a_hub_one_line_says_so() -> None:
    status, output = await run()
    assert status == 1
    assert output.count("\n") == 1
    assert output.startswith("carrel-singleuser: JUPYTERHUB_SERVICE_URL is not set. ")
    assert await run("--version") == (0, "0.1.0\n")


async def test_the_users_files_do_not_open_the_server(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / ".jupyter").mkdir()
    (tmp_path / ".jupyter" / "jupyter_server_config.py").write_text(HOSTILE_CONFIG)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "here.txt").write_text("here")
    server = await SingleUserProcess.start(
        hub,
        tmp_path,
        JUPYTERHUB_ROOT_DIR="~/work",
        JUPYTERHUB_DEFAULT_URL="/lab/tree/here.txt",
        JUPYTERHUB_ALLOW_TOKEN_IN_URL="1",
        JUPYTERHUB_COOKIE_OPTIONS='{"SameSite": "Lax"}',
        JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED="1",
    )
    await server.until_ready()
    async with Browser() as browser:
        for token in ("stolen", ""):
            assert (await refusal(browser, f"{server.url}api/contents", headers=bearer(token)))[0] == 403
            assert (await refusal(browser, f"{server.url}api/contents?token={token}"))[0] == 403
        async with browser.get(f"{server.url}?x=1", allow_redirects=False) as reply:
            assert reply.headers["Location"] == "/user/alice/lab/tree/here.txt?x=1"
        async with browser.get(f"{server.url}lab?token=token-of-alice", allow_redirects=False) as reply:
            assert reply.status == 200
            assert reply.headers["X-Mine"] == "kept"
            login = cookies_of(reply)[f"__Host-{CLIENT_ID}"]
            assert (login["path"], login["samesite"], bool(login["secure"])) == ("/", "Lax", True)
        async with browser.get(f"{server.url}api/contents", headers=bearer("token-of-alice")) as reply:
            assert [item["name"] for item in (await reply.json())["content"]] == ["here.txt"]
        await start_kernel(browser, server, bearer("token-of-alice"))
    assert "token-of-alice" not in server.log
    assert "Writing Jupyter server cookie secret" not in server.log, "the secret is new at every launch"
    assert "Traceback" not in server.log
    assert await server.stop(signal.SIGINT) == 0
    assert "Shutting down 1 kernel" in server.log


async def test_no_access_scopes_and_no_user_config(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / ".jupyter").mkdir()
    (tmp_path / ".jupyter" / "jupyter_server_config.py").write_text("raise SystemExit('read')\n")
    (tmp_path / "jupyter_server_config.py").write_text("raise SystemExit('read')\n")
    server = await SingleUserProcess.start(
        hub,
        tmp_path,
        JUPYTERHUB_OAUTH_ACCESS_SCOPES="[]",
        JUPYTERHUB_DISABLE_USER_CONFIG="1",
        JUPYTERHUB_ACTIVITY_URL="",
    )
    await server.until_ready()
    async with Browser() as browser:
        for token in ("token-of-alice", "token-of-admin"):
            assert (await refusal(browser, f"{server.url}api/contents", headers=bearer(token)))[0] == 403
    assert "this server admits nobody" in server.log
    assert await server.stop() == 0


async def test_a_hub_that_is_away_is_asked_five_times() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = FakeHub(port=taken.getsockname()[1])
        client = ServerHubClient(read_environment(hub_environment(away, 1)))
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        assert await meet(client, logging.getLogger("test"), sleep) is None
    assert pauses == [2, 4, 8, 16]


async def test_a_server_waits_for_its_hub(tmp_path: Path) -> None:
    hub = FakeHub()
    await hub.start()
    await hub.stop()
    server = await SingleUserProcess.start(hub, tmp_path)
    await server.until_logged("The hub does not answer")
    await hub.start()
    await server.until_ready()
    assert await server.stop() == 0
    await hub.stop()


async def test_a_server_that_waits_for_its_hub_can_be_stopped(tmp_path: Path) -> None:
    hub = FakeHub()
    await hub.start()
    await hub.stop()
    server = await SingleUserProcess.start(hub, tmp_path)
    await server.until_logged("The hub does not answer")
    assert await server.stop() == 0
    assert "Traceback" not in server.log


async def test_a_port_in_use_is_told(hub: FakeHub, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, output = await run("--allow-root", **hub_environment(hub, port, HOME=str(tmp_path)))
    assert status == 1
    assert f"port {port} is not available" in output
    assert "Traceback" not in output
