"""A stock JupyterHub with `carrel-proxy` in the place of configurable-http-proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import JUPYTERHUB, jupyterhub_with_carrel_proxy
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

TOKEN = "the-operators-token-of-this-test"
CONFIG = f"""
c.JupyterHub.cleanup_servers = False
c.JupyterHub.services = [{{'name': 'operator', 'api_token': {TOKEN!r}}}]
c.JupyterHub.load_roles = [
    {{'name': 'operator', 'services': ['operator'], 'scopes': ['admin:servers', 'proxy', 'read:users']}}
]
"""
INTERNAL_TLS = """
c.JupyterHub.internal_ssl = True
c.ConfigurableHTTPProxy.api_url = c.ConfigurableHTTPProxy.api_url.replace('http:', 'https:')
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    need((JUPYTERHUB / "bin" / "jupyterhub").exists(), "JupyterHub 6.1")
    with HubProcess(
        jupyterhub_with_carrel_proxy(), tmp_path, class_config(tmp_path, STUB) + CONFIG
    ) as running:
        yield running


def _page(visitor: Visitor) -> str:
    """Return what the server says, empty while it does not."""
    reply = visitor.get("user/alice/page")
    return reply.text if reply.status == 200 and reply.text.startswith("alice ") else ""


def _echo(hub: HubProcess, text: str) -> str:
    url = hub.public_url.replace("http:", "ws:") + "user/alice/ws"
    with connect(url, proxy=None) as socket:
        socket.send(text)
        return str(socket.recv(timeout=10))


def _routes(hub: HubProcess) -> set[str]:
    return set(hub.api("GET", "proxy", token=TOKEN).json())


def test_log_in_spawn_work_stop_and_restart(hub: HubProcess) -> None:
    assert "carrel-proxy] Proxying" in hub.log
    alice = hub.visitor()
    assert alice.log_in("alice", PASSWORD).location.startswith(hub.public_url)
    alice.follow("hub/spawn")
    page = until(lambda: _page(alice), "alice's server answers")
    assert _echo(hub, "before") == "before"
    assert _routes(hub) == {"/", "/user/alice/"}

    hub.restart()
    assert until(lambda: _page(alice), "the same server answers again") == page
    assert _echo(hub, "after") == "after"
    assert len(_proxies(hub)) == 1

    assert hub.api("DELETE", "users/alice/server", token=TOKEN).status in (202, 204)
    until(lambda: _routes(hub) == {"/"}, "the route is gone")
    assert alice.follow("user/alice/lab").status == 424
    assert hub.terminate() == 0
    until(lambda: not _proxies(hub), "the hub has ended its proxy")


def test_its_internal_tls(tmp_path: Path) -> None:
    """The hub makes certificates for both sides of the proxy, and shows nothing to who has none."""
    need((JUPYTERHUB / "bin" / "jupyterhub").exists(), "JupyterHub 6.1")
    config = class_config(tmp_path, STUB) + CONFIG + INTERNAL_TLS
    with HubProcess(jupyterhub_with_carrel_proxy(), tmp_path, config) as hub:
        assert "REST API at https://" in hub.log
        assert hub.visitor().get("hub/login").status == 200
        assert _routes(hub) == {"/"}


def _proxies(hub: HubProcess) -> list[int]:
    """Return the main processes."""
    found = [pid for pid in hub.belongings() if "carrel.dataplane" in processes.command_line(pid)]
    workers = {below for pid in found for below in processes.tree(pid) if below != pid}
    return [pid for pid in found if pid not in workers]
