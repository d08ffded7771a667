"""`carrel demo`: a hub in a throw-away directory, for one user on this machine."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from traitlets.config import Config

from carrel.cli.exits import OK
from carrel.config.arguments import Parser
from carrel.config.schema import Settings
from carrel.lib.ids import new_token
from carrel.lib.listen import bind_socket
from carrel.lib.logging import configure


class RunHub(Protocol):
    """What runs a hub until it is told to stop, and calls `on_ready` when the public port answers."""

    def __call__(self, settings: Settings, on_ready: Callable[[], None] | None = None) -> int: ...


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Where a demo lives, where it listens and who may log in."""

    directory: Path
    ip: str
    port: int
    hub_port: int
    api_port: int
    username: str
    password: str


def demo(argv: Sequence[str], run_hub: RunHub) -> int:
    """Run a demo until Ctrl-C or SIGTERM, remove all that it made, and return 0.

    Raises PortInUse before anything is made.
    """
    parser = Parser(prog="carrel demo", allow_abbrev=False, description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="port to open in the browser (8000)")
    parser.add_argument("--ip", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--debug", action="store_true", help="log everything; show tracebacks of errors")
    found = parser.parse_args(list(argv))
    with closing(bind_socket(found.ip, found.port)) as listener:
        port = int(listener.getsockname()[1])
    configure("DEBUG" if found.debug else "WARNING")
    print("Starting Carrel …", flush=True)
    with (
        _terminated_like_interrupted(),
        tempfile.TemporaryDirectory(prefix="carrel-demo-", ignore_cleanup_errors=True) as name,
    ):
        hub_port, api_port = free_ports(2)
        plan = DemoPlan(Path(name), found.ip, port, hub_port, api_port, "demo", new_token()[:16])
        try:
            return run_hub(demo_settings(plan), on_ready=lambda: greet(plan))
        except KeyboardInterrupt:
            return OK


def demo_settings(plan: DemoPlan) -> Settings:
    """Return the settings of a demo: everything inside its directory, everything stopped with the hub."""
    plugins: dict[str, dict[str, Any]] = {
        "Authenticator": {"allowed_users": {plan.username}, "admin_users": {plan.username}},
        "DummyAuthenticator": {"password": plan.password},
        "SimpleLocalProcessSpawner": {"home_dir_template": str(plan.directory / "home" / "{username}")},
        "Proxy": {"api_url": f"http://127.0.0.1:{plan.api_port}"},
    }
    if os.geteuid() == 0:
        plugins["Spawner"] = {"args": ["--allow-root"]}
    return Settings(
        ip=plan.ip,
        port=plan.port,
        hub_port=plan.hub_port,
        db_url=f"sqlite:///{plan.directory / 'carrel.sqlite'}",
        cookie_secret_file=str(plan.directory / "cookie_secret"),
        runtime_dir=str(plan.directory / "run"),
        authenticator_class="dummy",
        spawner_class="simple",
        cleanup_servers=True,
        cleanup_proxy=True,
        log_level="WARNING",
        directory=plan.directory,
        plugins=Config(plugins),
    )


def free_ports(count: int) -> list[int]:
    """Return that many different ports of the loopback address that nobody listens on now."""
    listeners = [bind_socket("127.0.0.1", 0) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def greet(plan: DemoPlan) -> None:
    """Print how to log in; called when the page can be opened."""
    host = f"[{plan.ip}]" if ":" in plan.ip else plan.ip
    print(f"Username: {plan.username}")
    print(f"Password: {plan.password}")
    print(f"http://{host}:{plan.port}")
    print("Open this address in a browser and sign in; Ctrl-C stops and removes everything.", flush=True)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does, so that nothing is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
