"""Podman's service with Docker's API, on storage of the tests' own; only where Podman is installed.

Containers are in the machine's own network: nothing is changed about that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.docker_engine import ROOT_FILES
from tests.rigs.needs import need
from tests.rigs.poll import until

IMAGE = "localhost/carrel-test/notebook:1"
_CHANGES = (
    "ENV PATH=/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV HOME=/home/jovyan",
    "USER jovyan",
    "WORKDIR /home/jovyan",
)
_SETTINGS = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
"""
_TRUST = '{"default": [{"type": "insecureAcceptAnything"}]}'


@contextmanager
def podman_engine() -> Iterator[str]:
    """Yield where Podman's service listens, with IMAGE in it; skips the test where there is none."""
    need(os.geteuid() == 0, "root")
    for program in ("podman", "runc", "conmon"):
        need(shutil.which(program), program)
    need(ROOT_FILES.exists(), "the file system of a container")
    place = Path(tempfile.mkdtemp(prefix="cpm-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "carrel-test", place], check=True)
    try:
        (place / "containers.conf").write_text(_SETTINGS)
        (place / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{place}/run"\ngraphroot = "{place}/store"\n'
        )
        (place / "trust.json").write_text(_TRUST)
        with _service(place) as address:
            yield address
    finally:
        _unmount(place)


@contextmanager
def _service(place: Path) -> Iterator[str]:
    environment = os.environ | {
        "CONTAINERS_CONF": f"{place}/containers.conf",
        "CONTAINERS_STORAGE_CONF": f"{place}/storage.conf",
    }

    def podman(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["podman", "--tmpdir", f"{place}/tmp", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    changes = [word for change in _CHANGES for word in ("--change", change)]
    done = podman("import", "--signature-policy", f"{place}/trust.json", *changes, str(ROOT_FILES), IMAGE)
    assert done.returncode == 0, done.stderr
    socket, log = place / "podman.sock", place / "log"
    command = ["podman", "--tmpdir", f"{place}/tmp", "system", "service", "--time", "0", f"unix://{socket}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        until(socket.exists, f"Podman's service to listen: {log.read_text()}")
        yield f"unix://{socket}"
    finally:
        podman("rm", "--all", "--force", "--time", "0")
        process.terminate()
        process.wait(30)


def _unmount(place: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((point for point in mounted if f"{point}/".startswith(f"{place}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False)
    shutil.rmtree(place)
