"""A systemd of the tests' own where the machine's first process is another: the first one of a name space."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.rigs import processes
from tests.rigs.needs import need
from tests.rigs.poll import until

_SYSTEMD = Path("/lib/systemd/systemd")
_GROUPS = Path("/sys/fs/cgroup")
_TARGETS = ("default", "basic", "sysinit", "shutdown", "umount", "final")
# Its groups are below one of ours in each hierarchy, its units those of a directory of ours: of the machine's
# services none starts.
_BOOT = """
set -e
name=$1 place=$2
mount --make-rprivate /
mount --bind "$place/run" /run
hierarchies=$(cut -d: -f2 /proc/self/cgroup)
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for hierarchy in $hierarchies; do
  case $hierarchy in name=*) options=none,$hierarchy ;; *) options=$hierarchy ;; esac
  directory=/sys/fs/cgroup/${hierarchy#name=}
  mkdir "$directory"
  mount -t cgroup -o "$options" "$name" "$directory"
done
export container=carrel-test SYSTEMD_UNIT_PATH=$place/units SYSTEMD_LOG_TARGET=console
exec /lib/systemd/systemd --system --unit=default.target --show-status=0
"""
_BUS = """
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
</policy></busconfig>
"""
_COMMAND = _BOOT.splitlines()[-1].removeprefix("exec ")


@dataclass(frozen=True, slots=True)
class Systemd:
    """A running systemd."""

    prefix: tuple[str, ...] = ()
    """Words before a command that let it share files in /run with systemd."""
    programs: Path | None = None
    """Where its own systemctl and systemd-run are, for the head of a PATH."""
    enter: tuple[str, ...] = ()
    """Words before a command that is to run where systemd sees it, and to talk to it over a bus."""

    def control(self, *words: str) -> str:
        """Return what `systemctl WORDS` printed."""
        program = "systemctl" if self.programs is None else str(self.programs / "systemctl")
        return subprocess.run([program, *words], capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def systemd() -> Iterator[Systemd]:
    """Yield a systemd, the machine's own where it has one; skips the test where none can run."""
    if Path("/run/systemd/system").is_dir():
        yield Systemd()
        return
    need(os.geteuid() == 0, "root")
    need(_SYSTEMD.exists() and shutil.which("unshare"), "systemd")
    need((_GROUPS / "systemd").is_dir(), "control groups of version 1")
    with ExitStack() as stack:
        place = Path(tempfile.mkdtemp(prefix="carrel-test-"))
        stack.callback(shutil.rmtree, place)
        place.chmod(0o755)
        for name in ("run", "units", "programs"):
            (place / name).mkdir(mode=0o755)
        for name in _TARGETS:
            dependencies = "" if name == "default" else "DefaultDependencies=no\n"
            (place / "units" / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n{dependencies}")
        pid = stack.enter_context(_booted(place))
        for name in ("systemctl", "systemd-run"):
            # It answers only those whom it sees, which takes its own name space.
            program = place / "programs" / name
            program.write_text(f'#!/bin/sh\nexec nsenter -t {pid} -m -p -- {shutil.which(name)} "$@"\n')
            program.chmod(0o755)
        enter = f'mount --bind {place}/run /run; exec "$@"'
        inside = ("nsenter", "-t", str(pid), "-m", "-p", "-C", "--")
        yield Systemd(("unshare", "--mount", "sh", "-c", enter, "sh"), place / "programs", inside)


def start_bus(manager: Systemd) -> None:
    """Let programs that run inside ask systemd over a bus; the machine's own has one."""
    if manager.programs is None:
        return
    need(shutil.which("dbus-daemon") and shutil.which("busctl"), "dbus-daemon and busctl")
    place = manager.programs.parent
    (place / "bus.conf").write_text(_BUS)
    head = "[Unit]\nDescription=bus\nDefaultDependencies=no\n"
    (place / "units/dbus.socket").write_text(f"{head}[Socket]\nListenStream=/run/dbus/system_bus_socket\n")
    daemon = f"dbus-daemon --config-file={place}/bus.conf --address=systemd: --nofork --nopidfile"
    service = f"{head}Requires=dbus.socket\n[Service]\nExecStart={daemon} --systemd-activation\n"
    (place / "units/dbus.service").write_text(service)
    manager.control("daemon-reload")
    manager.control("start", "dbus.socket", "dbus.service")
    until(lambda: manager.control("is-active", "dbus.service") == "active", "the bus to run")


@contextmanager
def _booted(place: Path) -> Iterator[int]:
    """Yield the pid of a systemd that has its files below `place`."""
    name = place.name
    groups = [group / name for group in _GROUPS.iterdir() if (group / "cgroup.procs").exists()]
    for group in groups:
        group.mkdir()
    join = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups)
    spaces = ("--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")
    boot = ("bash", "-c", _BOOT, "boot", name, str(place))
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", f'{join}exec "$@"', "sh", "unshare", *spaces, *boot], stdout=log, stderr=log
        )
    try:

        def runs() -> bool:
            assert process.poll() is None, (place / "log").read_text()[-2000:]
            return (place / "run/systemd/private").exists()

        until(runs, "systemd to run")
        yield next(pid for pid in processes.tree(process.pid) if processes.command_line(pid) == _COMMAND)
    finally:
        # The first process of the name space goes with it, and everything else there with that one.
        process.kill()
        process.wait(10)
        for group in groups:
            until(partial(_removed, group), f"{group} to be empty")


def _removed(group: Path) -> bool:
    for directory in sorted(group.rglob("*/"), reverse=True):
        if directory.is_dir():
            try:
                directory.rmdir()
            except OSError:
                return False
    try:
        group.rmdir()
    except OSError:
        return False
    return True
