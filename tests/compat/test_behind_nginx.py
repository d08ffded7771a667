"""The how-to's nginx before the hub, with its own certificate: log-in, server, websocket, redirects."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.dataplane.authority import Authority
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import free_port, under_test
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

AROUND = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxied;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{block}
}}
"""


def _configuration(directory: Path, port: int, behind: int, authority: Authority) -> str:
    block = (ROOT / "docs" / "how-to" / "https.md").read_text().partition("```nginx\n")[2].partition("```")[0]
    made = authority.sign("nginx")
    for shown, used in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/carrel/fullchain.pem", str(made.cert)),
        ("/etc/carrel/privkey.pem", str(made.key)),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
    ):
        assert block.count(shown) == 1
        block = block.replace(shown, used)
    return AROUND.format(directory=directory, block=block)


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def front(tmp_path: Path) -> Iterator[tuple[HubProcess, Visitor, Authority]]:
    """A hub, a visitor who comes through nginx, and the authority that signed nginx's certificate."""
    program = shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/bin")
    need(program, "nginx")
    authority, port = Authority(tmp_path), free_port()
    url = f"https://127.0.0.1:{port}/"
    config = class_config(tmp_path, STUB) + f"c.JupyterHub.public_url = {url!r}\n"
    with HubProcess(under_test(), tmp_path, config) as hub:
        file = tmp_path / "nginx.conf"
        file.write_text(_configuration(tmp_path, port, hub.ports.public, authority))
        nginx = subprocess.Popen([str(program), "-c", str(file)], stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: nginx.poll() is not None or _listens(port), "nginx to listen")
            assert nginx.poll() is None, nginx.communicate()[1]
            yield hub, Visitor(url, authority.visitor()), authority
        finally:
            nginx.terminate()
            nginx.communicate()


def test_all_goes_through_it(front: tuple[HubProcess, Visitor, Authority]) -> None:
    hub, ada, authority = front
    assert ada.log_in("ada", PASSWORD, "/hub/home").status == 302
    assert [cookie.name for cookie in ada.cookies if not cookie.secure] == []
    assert ada.get("hub/home").status == 200
    token = hub.token("ada")
    hub.api("POST", "users/ada/server", token=token)
    hub.wait_server("ada", token)
    assert ada.get("user/ada/x").text.split()[0] == "ada"
    address = f"{ada.base}user/ada/x".replace("https", "wss", 1)
    with connect(address, ssl=authority.visitor(), proxy=None) as websocket:
        websocket.send("hello")
        assert websocket.recv(10) == "hello"
    assert ada.get("").location.startswith(ada.base)
