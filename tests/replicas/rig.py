"""Several real hubs on one PostgreSQL, behind one data plane that none of them has started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import STUB, class_config
from tests.rigs.systems import Ports, carrel
from tests.rigs.visitor import Visitor

TOKEN = "a token that all hubs and the data plane share"


class DataPlane:
    """One carrel-proxy."""

    def __init__(self, directory: Path, ports: Ports, targets: Sequence[str]) -> None:
        self.url = f"http://127.0.0.1:{ports.public}/"
        self.api_url = f"http://127.0.0.1:{ports.proxy_api}"
        self._log = directory / "proxy.log"
        self._command = [
            *(sys.executable, "-m", "carrel.dataplane", "--ip", "127.0.0.1", "--port", str(ports.public)),
            *("--api-ip", "127.0.0.1", "--api-port", str(ports.proxy_api)),
            *("--default-target", targets[0], "--error-target", f"{targets[0]}/hub/error"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DataPlane:
        with self._log.open("ab") as log:
            environment = os.environ | {"CONFIGPROXY_AUTH_TOKEN": TOKEN}
            self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        until(self._answers, "the data plane to answer")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)

    def _answers(self) -> bool:
        try:
            return Visitor(self.url).get("_chp_healthz", timeout=5).status == 200
        except OSError:
            return False


class Replica(HubProcess):
    """One hub of several: its public side is a data plane that is somebody else's."""

    @property
    def hub_url(self) -> str:
        """Where this hub answers, past the data plane."""
        return f"http://127.0.0.1:{self.ports.hub}/"

    @property
    def hub_api_url(self) -> str:
        """Where all servers of the cluster reach a hub: through the data plane."""
        return f"http://127.0.0.1:{self.ports.public}/hub/api"

    def answers(self) -> bool:
        """Return whether this very hub answers, with a database behind it."""
        try:
            return Visitor(self.hub_url).get("hub/health", timeout=5).status == 200
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Hubs and their data plane."""

    hubs: list[Replica]
    plane: DataPlane


def replica(directory: Path, ports: Ports, database: str, number: int, extra: str = "") -> Replica:
    """Return hub `number`, not yet started; all of them have the same homes and the same machine."""
    here = directory / f"hub{number}"
    config = f"""{class_config(directory, STUB)}
c.JupyterHub.db_url = {database!r}
c.CarrelProxy.should_start = False
c.ConfigurableHTTPProxy.auth_token = {TOKEN!r}
c.Spawner.hub_connect_url = 'http://127.0.0.1:{ports.public}/hub/api'
{extra}
"""
    hub = Replica(carrel(), here, config)
    hub.ports = Ports(public=ports.public, hub=hub.ports.hub, proxy_api=ports.proxy_api)
    return hub


@contextmanager
def cluster(directory: Path, database: str, count: int = 3, extra: str = "") -> Iterator[Cluster]:
    """Yield running hubs behind a data plane, and leave no process behind."""
    ports = Ports()
    hubs = [replica(directory, ports, database, number, extra) for number in range(count)]
    with ExitStack() as stack:
        targets = [hub.hub_url.rstrip("/") for hub in hubs]
        plane = stack.enter_context(DataPlane(directory, ports, targets))
        for hub in hubs:
            stack.callback(hub.clean_up)
            hub.launch()
        for hub in hubs:
            hub.wait_ready()
        yield Cluster(hubs, plane)
