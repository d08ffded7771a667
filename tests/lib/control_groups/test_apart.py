from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from carrel.lib.control_groups import systemd
from carrel.lib.control_groups.apart import remove_group, set_apart
from carrel.lib.control_groups.systemd import scope_call
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.processes import is_alive

MOUNTS = """\
31 23 0:28 / {root} rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / {root}/cpu rw,relatime - cgroup cgroup rw,cpu
40 31 0:37 / {root}/systemd rw,relatime shared:1 - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / {root}/unified rw,relatime - cgroup2 cgroup2 rw
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without systemd whose hierarchies are directories."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTS.format(root=tmp_path))
    for name in ("cpu", "systemd", "unified"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(systemd, "_RUNS", tmp_path / "no systemd")
    return tmp_path


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ("8:pids:/\n1:cpu:/limits\n0::/\n", []),
        ("0::/system.slice/hub\n", ["unified"]),
        ("3:name=systemd:/hub\n0::/\n", ["systemd"]),
        ("3:name=systemd:/hub\n1:cpu:/limits\n0::/hub\n", ["systemd", "unified"]),
        ("3:name=elsewhere:/hub\n", []),
    ],
)
def test_the_groups_that_a_supervisor_tracks_are_left(root: Path, own: str, left: list[str]) -> None:
    (root / "proc/self/cgroup").write_text(own)
    set_apart(4321, "server-7", root / "proc")
    set_apart(4321, "server-7", root / "proc")
    written = sorted(path.relative_to(root).parts[0] for path in root.glob("*/carrel/server-7/cgroup.procs"))
    assert written == left
    for name in left:
        assert (root / name / "carrel/server-7/cgroup.procs").read_text() == "4321\n"
        (root / name / "carrel/server-7/cgroup.procs").unlink()
    remove_group("server-7", root / "proc")
    remove_group("server-7", root / "proc")
    assert list(root.glob("*/carrel/*")) == []


def test_a_machine_without_groups_is_fine(root: Path) -> None:
    set_apart(4321, "server-7", root / "proc")
    remove_group("server-7", root / "proc")


def test_what_is_not_ours_to_write_is_an_error(root: Path) -> None:
    (root / "proc/self/cgroup").write_text("0::/hub\n")
    (root / "unified" / "carrel").write_text("in the way")
    with pytest.raises(OSError, match="carrel"):
        set_apart(4321, "server-7", root / "proc")


def test_systemd_is_asked_for_a_scope() -> None:
    command = scope_call(4321, "server-7", root=True)
    assert command[:3] == ["busctl", "--quiet", "call"]
    assert command[-11:] == [
        *("server-7-4321.scope", "fail", "2"),
        *("PIDs", "au", "1", "4321"),
        *("CollectMode", "s", "inactive-or-failed", "0"),
    ]
    assert scope_call(4321, "server-7", root=False)[1] == "--user"


@pytest.mark.real
@pytest.mark.parametrize(("script", "why"), [("exit 0", ""), ("echo no bus >&2; exit 1", "no bus")])
def test_what_systemd_answers_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    busctl = root / "busctl"
    busctl.write_text(f'#!/bin/sh\necho "$@" > {root}/asked\n{script}\n')
    busctl.chmod(0o755)
    monkeypatch.setattr(systemd, "_RUNS", root)
    monkeypatch.setenv("PATH", f"{root}:{os.environ['PATH']}")
    if why:
        with pytest.raises(OSError, match=why):
            set_apart(4321, "server-7")
    else:
        set_apart(4321, "server-7")
    assert "PIDs au 1 4321" in (root / "asked").read_text()


@pytest.fixture
def service() -> Iterator[Path]:
    """A control group of version 2, as a supervisor makes one for a service."""
    mount = next((Path(path) for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if _is_v2(path)), None)
    need(mount is not None and os.access(mount, os.W_OK), "a writable cgroup file system of version 2")
    need(not Path("/run/systemd/system").exists(), "a machine whose control groups are not systemd's")
    assert mount is not None
    group = mount / f"carrel-test-{os.getpid()}"
    group.mkdir()
    yield group
    (group / "cgroup.kill").write_text("1")
    until(lambda: "populated 0" in (group / "cgroup.events").read_text(), "the group to be empty")
    group.rmdir()


def _is_v2(path: str) -> bool:
    return (Path(path) / "cgroup.controllers").exists()


@pytest.mark.real
def test_a_process_outlives_the_group_of_the_one_that_started_it(service: Path) -> None:
    """The one that starts it is a process of the service; then the supervisor kills the service's group."""
    name = f"server-{os.getpid()}"
    program = (
        "import subprocess, time; from carrel.lib.control_groups.apart import set_apart;"
        "input(); child = subprocess.Popen(['sleep', '60'], stdin=-3, stdout=-3);"
        f"set_apart(child.pid, {name!r}); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as hub:
        (service / "cgroup.procs").write_text(f"{hub.pid}\n")
        assert hub.stdin is not None
        assert hub.stdout is not None
        hub.stdin.write("\n")
        hub.stdin.flush()
        child = int(hub.stdout.readline())
        (service / "cgroup.kill").write_text("1")
        assert hub.wait(10) == -9
    try:
        assert is_alive(child)
        assert Path(f"/proc/{child}/cgroup").read_text().splitlines()[-1] == f"0::/carrel/{name}"
    finally:
        os.kill(child, 9)
    group = service.parent / "carrel" / name
    until(lambda: not group.exists() or not (group / "cgroup.procs").read_text(), "the child to be gone")
    group.rmdir()
