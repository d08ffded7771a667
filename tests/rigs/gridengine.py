"""A Grid Engine of one node for tests: a master and an execution daemon with a cell of their own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.systems import free_port

_INSTALLED = Path("/var/lib/gridengine")
_PROGRAMS = Path("/usr/lib/gridengine")
_SHARED = Path("/usr/share/gridengine")
_ACCOUNT = "sgeadmin"
_BOOTSTRAP = """
admin_user              sgeadmin
default_domain          none
ignore_fqdn             false
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         {root}/spool/db
binary_path             /usr/sbin
qmaster_spool_dir       {root}/spool/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
_HOST = """hostname localhost
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""
#: What is set otherwise than it is by default, in each form.
_QUEUE = {"qname": "all.q", "hostlist": "localhost", "slots": "20", "shell": "/bin/sh", "pe_list": "NONE"}
_QUEUE |= {"load_thresholds": "NONE"}
_SCHEDULER = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}


@dataclass(frozen=True, slots=True)
class GridEngine:
    """A cluster that runs."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, *command: str) -> str:
        """Return what a command printed; raises CalledProcessError."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout

    def jobs(self, user: str) -> list[str]:
        """Return a line for each job of a user's."""
        return self.run("qstat", "-u", user).splitlines()[2:]

    def change(self, show: str, change: str, values: Mapping[str, str]) -> None:
        """Give a form of qconf's other values."""
        lines = [line.split(None, 1) for line in self.run("qconf", show).splitlines() if " " in line]
        form = {**dict(lines), **values}
        file = self.directory / "form"
        file.write_text("".join(f"{name} {value}\n" for name, value in form.items()))
        self.run("qconf", change, str(file))


@contextlib.contextmanager
def running_grid_engine(directory: Path) -> Iterator[GridEngine]:
    """Run the block with a cluster; `directory` must be one that every account may enter. Needs root."""
    need(os.geteuid() == 0, "root, who may run jobs for others,")
    need((_PROGRAMS / "sge_qmaster").exists() and (_PROGRAMS / "sge_execd").exists(), "Grid Engine")
    engine = GridEngine(directory, _cell(directory))
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((directory / "daemons.log").open("wb"))

        def begin(program: str) -> None:
            environment = {**os.environ, **engine.environment, "SGE_ND": "1"}
            process = subprocess.Popen([str(_PROGRAMS / program)], env=environment, stdout=log, stderr=log)
            stack.callback(_end, process)

        begin("sge_qmaster")
        until(lambda: _answers(engine), f"the master of Grid Engine; see {log.name}")
        (directory / "host").write_text(_HOST)
        engine.run("qconf", "-as", "localhost")
        engine.run("qconf", "-Ae", str(directory / "host"))
        engine.change("-sq", "-Aq", _QUEUE)
        engine.change("-ssconf", "-Msconf", _SCHEDULER)
        begin("sge_execd")
        until(lambda: "lx-" in engine.run("qhost", "-h", "localhost"), "the node of Grid Engine")
        yield engine


def _cell(directory: Path) -> Mapping[str, str]:
    """Make a cell below `directory` and return the environment that leads to it."""
    root = directory / "sge"
    common = root / "default" / "common"
    common.mkdir(parents=True)
    for name in ("bin", "lib", "util", "utilbin"):
        (root / name).symlink_to(_INSTALLED / name)
    (common / "bootstrap").write_text(_BOOTSTRAP.lstrip().format(root=root))
    (common / "act_qmaster").write_text("localhost\n")
    # By its own name the machine would be another one than the address of its requests.
    (common / "host_aliases").write_text(f"localhost {os.uname().nodename}\n")
    for name in ("db", "qmaster/job_scripts", "execd"):
        (root / "spool" / name).mkdir(parents=True)
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            shutil.chown(path, _ACCOUNT, _ACCOUNT)
    environment = {"SGE_ROOT": str(root), "SGE_CELL": "default"}
    environment |= {"SGE_QMASTER_PORT": str(free_port()), "SGE_EXECD_PORT": str(free_port())}
    settings = (_SHARED / "default-configuration").read_text()
    (directory / "configuration").write_text(
        re.sub(r"(?m)^execd_spool_dir .*$", f"execd_spool_dir {root}/spool/execd", settings)
    )
    resources = _SHARED / "util" / "resources"
    for words in (
        ("spoolinit", "berkeleydb", "libspoolb", f"{root}/spool/db", "init"),
        ("spooldefaults", "configuration", str(directory / "configuration")),
        ("spooldefaults", "complexes", str(resources / "centry")),
        ("spooldefaults", "usersets", str(resources / "usersets")),
        ("spooldefaults", "managers", "root", _ACCOUNT),
    ):
        subprocess.run(
            ["runuser", "-u", _ACCOUNT, "--", str(_PROGRAMS / words[0]), *words[1:]],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
    return environment


def _answers(engine: GridEngine) -> bool:
    try:
        engine.run("qconf", "-sss")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    # Nothing of the cell is needed any more, and an orderly end takes seconds.
    process.kill()
    process.wait()
