"""The hub dies or is stopped: what goes on without it, what ends with it, and what the next one finds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SYSTEM = under_test()


class Class:
    """A hub with one running server, and the token of its administrator."""

    def __init__(self, directory: Path, extra: str = "") -> None:
        self.hub = HubProcess(SYSTEM, directory, class_config(directory, STUB) + extra)
        self.token = ""

    def start(self) -> None:
        self.hub.start()
        self.hub.visitor().log_in("ada", PASSWORD, "/hub/home")
        self.token = self.hub.token("admin")
        self.hub.api("POST", "users/ada/server", token=self.token)
        self.hub.wait_server("ada", self.token)

    def server(self) -> int:
        """Return the process id of ada's server, asked of itself through the proxy."""
        reply = self.hub.visitor().get("user/ada/")
        assert reply.status == 200, reply.text
        return int(reply.text.split()[1])

    def websocket(self) -> ClientConnection:
        return connect(f"{self.hub.public_url}user/ada/echo".replace("http", "ws", 1), proxy=None)

    def started(self) -> str:
        """Return when ada's server was started, as the API says."""
        moment: str = self.hub.api("GET", "users/ada", token=self.token).json()["servers"][""]["started"]
        return moment


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Class]:
    school = Class(tmp_path)
    try:
        school.start()
        yield school
    finally:
        school.hub.clean_up()


def echoes(socket: ClientConnection, text: str) -> bool:
    socket.send(text)
    return socket.recv(timeout=30) == text


def test_a_killed_hub_finds_its_servers_again(school: Class) -> None:
    pid, started = school.server(), school.started()
    school.hub.restart()
    school.hub.wait_server("ada", school.token)
    assert school.server() == pid
    assert school.started() == started
    assert school.hub.servers() == [pid]


@only_carrel
def test_websockets_and_pages_go_on_while_the_hub_is_dead(school: Class) -> None:
    with school.websocket() as socket:
        assert echoes(socket, "before")
        school.hub.kill9()
        assert echoes(socket, "meanwhile")
        assert school.server()
        with school.websocket() as another:
            assert echoes(another, "opened without a hub")
        school.hub.start()
        school.hub.wait_server("ada", school.token)
        assert echoes(socket, "after")


@only_carrel
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_end_of_the_hubs_group_and_session_is_not_that_of_the_servers(
    school: Class, number: signal.Signals
) -> None:
    """A terminal that closes, a shell or a supervisor signals whatever shares the hub's group and session."""
    pid, proxies = school.server(), school.hub.proxies()
    with school.websocket() as socket:
        for member in processes.session(school.hub.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(school.hub.pid, number)
        school.hub.wait(30)
        assert echoes(socket, "nobody noticed")
        assert (school.hub.servers(), school.hub.proxies()) == ([pid], proxies)
        school.hub.start()
        school.hub.wait_server("ada", school.token)
        assert echoes(socket, "still nobody")
    assert school.server() == pid


@only_carrel
def test_the_hub_may_be_killed_again_and_again(school: Class) -> None:
    pid, proxies = school.server(), school.hub.proxies()
    with school.websocket() as socket:
        for seconds in (0.1, 0.3, 0.5, 0.7, 0.9):
            school.hub.kill9()
            school.hub.launch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                school.hub.wait(seconds)
        school.hub.wait_ready()
        assert echoes(socket, "still here")
    assert school.server() == pid
    assert school.hub.servers() == [pid]
    assert school.hub.proxies() == proxies


def test_a_server_that_died_meanwhile_is_noticed(school: Class) -> None:
    pid = school.server()
    school.hub.kill9()
    processes.end([pid])
    school.hub.start()
    school.hub.wait_server("ada", school.token, running=False)
    assert school.hub.servers() == []


def test_a_session_survives_a_restart(school: Class) -> None:
    ada = school.hub.visitor()
    ada.log_in("ada", PASSWORD, "/hub/home")
    school.hub.restart()
    assert ada.get("hub/home").status == 200


@only_carrel
def test_sigterm_leaves_servers_and_data_plane_running(school: Class) -> None:
    with school.websocket() as socket:
        pid, proxies = school.server(), school.hub.proxies()
        assert school.hub.terminate() == 0
        assert echoes(socket, "nobody noticed")
        assert school.server() == pid
        assert school.hub.proxies() == proxies
        school.hub.start()
        assert school.server() == pid
        assert echoes(socket, "still nobody")


@only_carrel
def test_sigint_ends_servers_and_data_plane(school: Class) -> None:
    school.hub.interrupt()
    until(lambda: not school.hub.belongings(), "servers and data plane to end")
    assert not school.hub.answers()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("servers", "proxy"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_stop_does_as_the_settings_say(
    tmp_path: Path, number: signal.Signals, servers: bool, proxy: bool
) -> None:
    settings = f"c.JupyterHub.cleanup_servers = {servers}\nc.JupyterHub.cleanup_proxy = {proxy}\n"
    school = Class(tmp_path, settings)
    try:
        school.start()
        school.hub.interrupt() if number is signal.SIGINT else school.hub.terminate()
        until(
            lambda: (bool(school.hub.servers()), bool(school.hub.proxies())) == (not servers, not proxy),
            f"servers to {'end' if servers else 'stay'} and the proxy to {'end' if proxy else 'stay'}",
        )
    finally:
        school.hub.clean_up()


@only_carrel
def test_the_log_says_what_a_stop_did(school: Class) -> None:
    school.hub.terminate()
    last = school.hub.log.lower()[-3000:]
    assert "server" in last
    assert "running" in last


@only_carrel
def test_the_stop_command_leaves_servers_running(school: Class) -> None:
    pid = school.server()
    stopped = school.hub.run("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert school.hub.wait(30) == 0
    assert school.server() == pid


@only_carrel
def test_stop_all_ends_everything(school: Class) -> None:
    stopped = school.hub.run("stop", "--all")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    until(lambda: not school.hub.belongings(), "everything to end")


@only_carrel
def test_stop_all_ends_what_a_dead_hub_left(school: Class) -> None:
    school.hub.kill9()
    stopped = school.hub.run("stop", "--all")
    assert stopped.returncode == 0, stopped.stderr
    until(lambda: not school.hub.belongings(), "everything to end")


@only_carrel
def test_stop_without_a_hub_says_so(tmp_path: Path) -> None:
    hub = HubProcess(SYSTEM, tmp_path, class_config(tmp_path, STUB))
    stopped = hub.run("stop")
    assert "Traceback" not in stopped.stderr
    assert (stopped.stdout + stopped.stderr).strip()


@only_carrel
def test_a_killed_data_plane_is_started_again(school: Class) -> None:
    pid = school.server()
    killed = school.hub.proxies()
    for proxy in killed:
        # Its workers go with the first of them.
        with contextlib.suppress(ProcessLookupError):
            os.kill(proxy, signal.SIGKILL)
    until(lambda: not any(map(processes.is_alive, killed)), "the data plane to be gone")
    school.hub.wait_ready()
    until(lambda: school.hub.visitor().get("user/ada/").status == 200, "the route to be back")
    assert school.server() == pid
