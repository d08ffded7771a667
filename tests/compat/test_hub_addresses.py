"""The hub elsewhere than on its usual port: in a socket, below its own path alone, reached by another way."""

from __future__ import annotations

import errno
import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import CARREL, PASSWORD, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub in a socket, to which the proxy sends what is below /hub/ and nothing else."""
    config = class_config(tmp_path, CARREL.command()) + (
        f"c.JupyterHub.hub_bind_url = 'http+unix://{str(tmp_path).replace('/', '%2F')}%2Fhub.sock'\n"
        "c.JupyterHub.hub_socket_mode = 0o660\n"
        "c.JupyterHub.hub_routespec = '/hub/'\n"
    )
    running = HubProcess(under_test(), tmp_path, config)
    try:
        yield running
    finally:
        processes.end(processes.find(lambda pid: processes.works_below(pid, tmp_path)))
        running.clean_up()


def test_a_hub_in_a_socket_serves_browsers_and_servers(hub: HubProcess) -> None:
    hub.start()
    path = hub.directory / "hub.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", hub.ports.hub)) == errno.ECONNREFUSED
    ada = hub.visitor()
    ada.log_in("ada", PASSWORD, "/hub/home")
    token = hub.token("ada")
    hub.api("POST", "users/ada/server", token=token)
    hub.wait_server("ada", token)
    # Its log-in goes through the hub's API, which only the proxy leads to.
    page = ada.follow("user/ada/lab")
    assert (page.status, page.url) == (200, f"{hub.public_url}user/ada/lab")
    # The visitor's address is the proxy's word: the peer of a socket has none.
    until(lambda: re.search(r"\(ada@127\.0\.0\.1\)", hub.log) is not None, "the log to name the visitor")


def test_what_is_not_below_the_hubs_path_is_nobodys(hub: HubProcess) -> None:
    hub.start()
    visitor = hub.visitor()
    assert visitor.get("hub/login").status == 200
    assert visitor.get("user/ada/lab").status == 404
    assert visitor.get("anything").status == 404


def test_a_killed_hub_comes_back_to_its_socket_and_a_second_one_is_refused(hub: HubProcess) -> None:
    hub.start()
    second = subprocess.run(
        [*hub.system.command, "-f", str(hub.config_file), "--JupyterHub.runtime_dir=other"],
        cwd=hub.directory,
        env=hub._environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 5
    assert "hub.sock is in use" in second.stderr
    hub.restart()
    assert hub.visitor().get("hub/login").status == 200
    hub.terminate()
    assert not (hub.directory / "hub.sock").exists()
