"""A hub as a real process: started from a configuration in its own directory, killed, started again."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from pathlib import Path
from types import TracebackType

from tests.rigs import processes
from tests.rigs.groups import groups_of, remove_groups
from tests.rigs.poll import until
from tests.rigs.systems import Ports, System
from tests.rigs.visitor import Reply, Visitor, authorization

MARK = "CARREL_RIG_DIRECTORY"


class HubProcess:
    """One hub, its data plane and its users' servers, all below `directory`.

    As a context manager it starts the hub and leaves no process behind. With `trust`, which says whose
    certificates are believed, it is visited over HTTPS.
    """

    def __init__(
        self,
        system: System,
        directory: Path,
        config: str,
        *,
        name: str = "jupyterhub_config.py",
        base_url: str = "/",
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.system = system
        self.directory = directory
        self.ports = Ports(base_url=base_url)
        self.config_file = directory / name
        self.log_file = directory / "hub.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._config = config
        self._trust = trust

    @property
    def public_url(self) -> str:
        return f"{'https' if self._trust else 'http'}://127.0.0.1:{self.ports.public}{self.ports.base_url}"

    @property
    def hub_api_url(self) -> str:
        """The API on the hub's own port, as servers reach it."""
        return f"http://127.0.0.1:{self.ports.hub}{self.ports.base_url}hub/api"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the hub was not started"
        return self.process.pid

    @property
    def log(self) -> str:
        """All that the hub and its data plane printed, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def __enter__(self) -> HubProcess:
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clean_up()

    def write_config(self) -> None:
        """Write the configuration file; may be repeated."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(self.system.configuration(self.ports) + self._config)

    def launch(self) -> None:
        """Start the process and return at once."""
        self.write_config()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.system.command, "-f", str(self.config_file)],
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self, timeout: float = 60.0) -> None:
        """Start the hub and return when it answers at its public address."""
        self.launch()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Return when `GET /hub/api/` answers 200 through the proxy; raises AssertionError with the log."""
        assert self.process is not None

        def answers() -> bool:
            assert self.process is not None
            code = self.process.poll()
            assert code is None, f"the hub ended with exit code {code}:\n{self.log[-4000:]}"
            return self.answers()

        try:
            until(answers, "the hub to answer", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-4000:]}") from None

    def answers(self) -> bool:
        """Return whether the hub answers through the proxy, now."""
        try:
            return self.visitor().get("hub/api/", timeout=5).status == 200
        except OSError:
            return False

    def kill9(self) -> None:
        """Kill the hub's process alone, at once."""
        self._stop(signal.SIGKILL)

    def terminate(self, timeout: float = 30.0) -> int:
        """Send SIGTERM, as a service manager does, and return the exit code."""
        return self._stop(signal.SIGTERM, timeout)

    def interrupt(self, timeout: float = 30.0) -> int:
        """Send SIGINT to the hub, as Ctrl-C does, and return the exit code."""
        return self._stop(signal.SIGINT, timeout)

    def restart(self) -> None:
        """Kill the hub's process and start it again."""
        self.kill9()
        self.start()

    def run(self, *words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Return what `carrel WORDS -f CONFIG` printed, run in the hub's directory."""
        self.write_config()
        return subprocess.run(
            [*self.system.command, *words, "-f", str(self.config_file)],
            cwd=self.directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def token(self, user: str) -> str:
        """Return a new API token of an existing user, made by the command line."""
        made = self.run("token", user)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip().splitlines()[-1]

    def visitor(self) -> Visitor:
        """Return a new browser profile."""
        return Visitor(self.public_url, self._trust)

    def api(self, method: str, path: str, *, token: str = "", body: bytes | None = None) -> Reply:
        """Return the reply of the REST API through the proxy; `path` begins after `/hub/api/`."""
        headers = authorization(token) | {"Content-Type": "application/json"}
        return self.visitor().request(method, f"hub/api/{path}", body=body, headers=headers)

    def wait_server(self, user: str, token: str, *, running: bool = True, timeout: float = 90.0) -> None:
        """Return when the user's default server is ready, or when it is gone."""

        def settled() -> bool:
            model = self.api("GET", f"users/{user}", token=token).json()
            server = model.get("servers", {}).get("")
            return bool(server and server["ready"]) if running else not server

        until(settled, f"the server of {user} to be {'ready' if running else 'gone'}", timeout, every=0.2)

    def stop_server(self, user: str, token: str) -> None:
        """Stop the user's default server, and return when it is gone."""
        assert self.api("DELETE", f"users/{user}/server", token=token).status in (202, 204)
        self.wait_server(user, token, running=False)

    def belongings(self) -> list[int]:
        """Return every live process that this hub started, by itself or through another."""
        return processes.find(self._owns)

    def servers(self) -> list[int]:
        """Return the live processes that are users' servers, kernels included."""
        return processes.find(lambda pid: self._serves(processes.environment(pid)))

    def proxies(self) -> list[int]:
        """Return the live processes of the data plane: neither the hub nor a user's server."""
        others = {self.process.pid if self.process else 0, *self.servers()}
        return [pid for pid in self.belongings() if pid not in others]

    def templates(self) -> list[int]:
        """Return the processes that this hub's servers are forked from."""
        title = f"carrel-warmstart {self.directory}"
        return processes.find(lambda pid: title in processes.command_line(pid))

    def clean_up(self) -> None:
        """End the hub and whatever it left running; may be repeated."""
        if self.process is not None and self.process.poll() is None:
            self.kill9()
        belongings = self.belongings()
        groups = groups_of(belongings)
        processes.end([*belongings, *self.templates()])
        remove_groups(groups)

    def wait(self, timeout: float) -> int:
        """Return the exit code of a hub that ends by itself; raises subprocess.TimeoutExpired."""
        assert self.process is not None, "the hub was not started"
        return self.process.wait(timeout)

    def _stop(self, number: signal.Signals, timeout: float = 30.0) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def _environment(self) -> dict[str, str]:
        return os.environ | self.system.environment | {MARK: str(self.directory)}

    def _serves(self, environment: dict[str, str]) -> bool:
        return environment.get("JUPYTERHUB_API_URL", "").rstrip("/") == self.hub_api_url

    def _owns(self, pid: int) -> bool:
        environment = processes.environment(pid)
        marked = environment.get(MARK) == str(self.directory)
        return marked or self._serves(environment) or processes.works_below(pid, self.directory)
