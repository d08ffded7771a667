"""carrel-batch-start chooses a port, runs the server there, and tells the hub until it has heard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from carrel_client.batch import place, tell

TOKEN = "a-token"


class Hub:
    """Answers as it is told, and keeps what it heard."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heard: list[tuple[str, str, int]] = []
        self.done = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hub.heard.append((self.path, self.headers["Authorization"], body["port"]))
                status = hub.statuses.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if not hub.statuses:
                    hub.done.set()

            def log_message(self, *args: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hub/api"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(503, 502, 201)
    yield hub
    hub.close()


def _environ(url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "JUPYTERHUB_API_URL": url,
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0/user/ada/",
    }


@pytest.mark.parametrize(
    "url", ["http://0.0.0.0:0/user/a/", "https://127.0.0.1:0/user/a/", "http://[::1]:0/x/"]
)
def test_the_port_takes_its_place_and_all_else_stays(url: str) -> None:
    environ = {"JUPYTERHUB_SERVICE_URL": url}
    port = place(environ)
    assert environ["JUPYTERHUB_SERVICE_URL"] == url.replace(":0/", f":{port}/", 1)
    assert port > 1023


@pytest.mark.real
def test_what_the_hub_answers_comes_back() -> None:
    hub = Hub(201, 409)
    try:
        assert [tell(_environ(hub.url), 4321) for _ in range(2)] == [201, 409]
        assert hub.heard[0] == ("/hub/api/batchspawner", f"token {TOKEN}", 4321)
    finally:
        hub.close()


@pytest.mark.real
@pytest.mark.timeout(30)
def test_the_server_runs_at_once_and_the_hub_is_told_until_it_has_heard(hub: Hub) -> None:
    code = "import os, sys; print(os.environ['JUPYTERHUB_SERVICE_URL'], os.getpid(), flush=True)"
    code += "; sys.stdin.read()"
    words = [sys.executable, "-m", "carrel_client.batch", sys.executable, "-c", code]
    pipe = subprocess.PIPE
    environ = _environ(hub.url)
    with subprocess.Popen(words, env=environ, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as server:
        assert server.stdout is not None
        url, pid = server.stdout.readline().split()
        assert int(pid) == server.pid
        assert hub.done.wait(20)
        _, errors = server.communicate()
    assert [port for _, _, port in hub.heard] == [int(url.split(":")[2].split("/")[0])] * 3
    assert errors.count("trying again") == 1
    assert TOKEN not in errors


@pytest.mark.real
@pytest.mark.parametrize(
    ("words", "without", "said"),
    [
        ([], "", "name the command"),
        (["no-such-program"], "", "no-such-program cannot be run"),
        (["true"], "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_TOKEN is not set"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], without: str, said: str) -> None:
    environ = {
        name: value for name, value in _environ("http://127.0.0.1:9/hub/api").items() if name != without
    }
    done = subprocess.run(
        [sys.executable, "-m", "carrel_client.batch", *words],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
