"""The probes by which a template is tried before any server comes from it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

import carrel.warmstart
from carrel.lib.processes import Account, Program, find_account
from carrel.spawners.scripts import Script
from carrel.spawners.warm_template import BadTemplate, Kind
from carrel.warmstart.canary import compare, read_report
from carrel.warmstart.marks import CONTRACT

_SOURCE = Path(carrel.warmstart.__file__).with_name("probe.py")
_PLACES = (tempfile.gettempdir, lambda: "/var/tmp", lambda: "/dev/shm")  # noqa: S108 - a new directory in it
_NAME = "carrel-probe"
_STAND_INS = ("nobody", "daemon")
_PID = "CARREL_PROBE_PID"
_LONGEST = 1 << 20


class Probes:
    """A script that any user may run, in a directory that is there for the block, and what it prints."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._directory = Path()
        self._outputs: list[int] = []

    def __enter__(self) -> Probes:
        self._directory = Path(tempfile.mkdtemp(prefix="carrel-warm-", dir=_place()))
        self._directory.chmod(0o755)
        path = self._directory / _NAME
        path.write_text(f"#!{self._kind.interpreter}\n{_SOURCE.read_text()}")
        path.chmod(0o755)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for output in self._outputs:
            os.close(output)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def script(self) -> Script:
        """Return the script."""
        return Script(str(self._directory / _NAME), self._kind.interpreter)

    @property
    def program(self) -> Program:
        """Return what is started, for an account like those that servers have."""
        account = _stand_in() if self._kind.others else None
        name = account.name if account is not None else "carrel"
        home = str(self._directory)
        env = {
            "PATH": os.defpath,
            **self._kind.environment,
            **dict.fromkeys(CONTRACT, "/"),
            "HOME": home,
            "USER": name,
            "SHELL": "/bin/sh",
            "CARREL_PROBE": "1",
        }
        return Program(
            argv=(self.script.path, "--a word", "ü"),
            env=env,
            home=home,
            account=account,
            umask=0o027,
            pid_variable=_PID,
        )

    def output(self) -> int:
        """Return a new descriptor for what a probe prints; the caller leaves it open."""
        path = self._directory / f"{len(self._outputs)}.out"
        self._outputs.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600))
        return self._outputs[-1]

    def differences(self) -> list[str]:
        """Return in what the first probes, which were forked, differ from the last. Raises BadTemplate."""
        texts = [_text(output).replace(f"/{n}.out", "/out") for n, output in enumerate(self._outputs)]
        reports = [read_report(text) for text in texts]
        for report, text in zip(reports, texts, strict=True):
            if report is None:
                raise BadTemplate(f"a trial of it says nothing of itself, but: {text.strip()[-300:]}")
        *forked, started = [report for report in reports if report is not None]
        return [text.replace(str(self._directory), "DIRECTORY") for text in compare(forked, started)]


def _text(output: int) -> str:
    return os.pread(output, _LONGEST, 0).decode(errors="replace")


def _place() -> str:
    """Return a directory for temporary files from which programs may be run."""
    places = [place() for place in _PLACES]
    usable = [p for p in places if os.path.isdir(p) and not os.statvfs(p).f_flag & os.ST_NOEXEC]
    if not usable:
        raise BadTemplate(f"it cannot be tried: no program may be run from {', '.join(places)}")
    return usable[0]


def _stand_in() -> Account:
    """Return an account that is not root's, for a trial of what becomes of other users' servers."""
    names = [*_STAND_INS, *(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid)]
    for name in names:
        with contextlib.suppress(KeyError):
            return find_account(name)
    raise BadTemplate("it cannot be tried: there is no account but root's")
