"""A Docker engine of the tests' own, beside whatever else runs, and an image that needs no registry.

It has a bridge and directories of its own and changes no firewall rules; nothing of it is left.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rigs.needs import need
from tests.rigs.places import CACHE
from tests.rigs.poll import until

ROOT_FILES = CACHE / "docker-image" / "root.tar"
IMAGE = "carrel-test/notebook:1"
OTHER_IMAGE = "carrel-test/notebook:2"
_CONFIGURATION = (
    "ENV PATH=/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/jovyan",
    "USER jovyan",
    "WORKDIR /home/jovyan",
    "EXPOSE 8888",
    'CMD ["jupyterhub-singleuser"]',
)
_SWARM_BRIDGE = "docker_gwbridge"


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine."""

    socket: str
    """Where it listens, as DOCKER_HOST says it."""
    address: str
    """Where containers reach this machine."""
    interface: str = ""
    """The bridge of that address."""

    def run(self, *words: str, check: bool = True) -> str:
        """Return what `docker WORDS` printed."""
        command = ["docker", "--host", self.socket, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def containers(self, *words: str) -> list[str]:
        """Return the names of the containers, those that have ended included."""
        return sorted(self.run("ps", "--all", "--format", "{{.Names}}", *words).split())

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine knows of a container."""
        return dict(json.loads(self.run("inspect", name))[0])

    def clear(self) -> None:
        """Remove all containers."""
        if names := self.containers():
            self.run("rm", "--force", "--volumes", *names)


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """Yield an engine with IMAGE in it; skips the test where none can run."""
    need(os.geteuid() == 0, "root")
    for program in ("dockerd", "docker", "containerd", "runc", "ip"):
        need(shutil.which(program), program)
    need(ROOT_FILES.exists(), "the file system of a container")
    with ExitStack() as stack:
        # Short: the paths of sockets below it are.
        place = Path(tempfile.mkdtemp(prefix="cdk-"))
        stack.callback(_remove, place)
        # In memory: images are many small files, which a busy disk takes long to remove.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "carrel-test", place], check=True)
        bridge = f"cdk{secrets.token_hex(5)}"
        address = stack.enter_context(_bridge(bridge))
        engine = Engine(f"unix://{place}/docker.sock", address, bridge)
        stack.enter_context(_dockerd(engine, place, bridge))
        changes = [word for line in _CONFIGURATION for word in ("--change", line)]
        engine.run("import", *changes, str(ROOT_FILES), IMAGE)
        engine.run("tag", IMAGE, OTHER_IMAGE)
        yield engine


@contextmanager
def _bridge(name: str) -> Iterator[str]:
    """Yield the address that this machine has on a new bridge."""
    taken = _ip("-o", "address", "show")
    address = next(
        candidate for number in range(200, 250) if (candidate := f"172.31.{number}.1") not in taken
    )
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("address", "add", f"{address}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield address
    finally:
        _ip("link", "delete", name)


@contextmanager
def _dockerd(engine: Engine, place: Path, bridge: str) -> Iterator[None]:
    others = _SWARM_BRIDGE in _ip("-o", "link", "show")
    switches = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
    places = ("--data-root", f"{place}/data", "--exec-root", f"{place}/exec", "--pidfile", f"{place}/pid")
    command = ["dockerd", "--host", engine.socket, "--bridge", bridge, *switches, *places]
    log = place / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()[-3000:]
            return bool(engine.run("version", "--format", "{{.Server.Version}}", check=False))

        until(answers, "the Docker engine to answer")
        yield
        engine.run("swarm", "leave", "--force", check=False)
        engine.clear()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        if not others and _SWARM_BRIDGE in _ip("-o", "link", "show"):
            _ip("link", "delete", _SWARM_BRIDGE)


def _remove(place: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((point for point in mounted if f"{point}/".startswith(f"{place}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False)
    shutil.rmtree(place)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
