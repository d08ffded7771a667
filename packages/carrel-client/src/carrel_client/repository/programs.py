"""Running git and uv: what they say, how long they may take, how large what they make may grow."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from carrel_client.repository.report import Failed

_LOOK = 0.5
_GRACE = 3.0
_KEPT = 64 * 1024
#: Not for programs that a repository brings along: the server itself is given them.
_SECRETS = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")


class ProgramFailed(Exception):
    """A program ended with another status than 0; `output` is the end of what it said."""

    def __init__(self, status: int, output: str) -> None:
        super().__init__(f"status {status}")
        self.output = output


@dataclass(frozen=True, slots=True)
class Limits:
    """What all of the preparation may take."""

    seconds: float
    until: float
    """When the time is over, on the monotonic clock."""
    largest: int
    """The most bytes that a working copy or an environment may have."""

    @classmethod
    def of(cls, seconds: float, largest: int) -> Limits:
        """Return limits of which the time begins now."""
        return cls(seconds, time.monotonic() + seconds, largest)

    def check(self) -> None:
        """Raise Failed when the time is over."""
        if time.monotonic() > self.until:
            raise Failed(
                f"Getting the repository ready took longer than {self.seconds:.0f} seconds.",
                "Ask for fewer packages, or ask the administrator for more time.",
            )


@dataclass(frozen=True, slots=True)
class Programs:
    """Starts programs one after the other, within the limits."""

    environment: Mapping[str, str]
    limits: Limits

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        grows: Path | None = None,
        env: Mapping[str, str] | None = None,
        heard: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Return what a program says; `heard` is told each line at once, `grows` is the directory it fills.

        Raises ProgramFailed, and Failed when a limit is reached. Whatever ends the wait ends the program.
        """
        variables = {name: value for name, value in self.environment.items() if name not in _SECRETS}
        child = subprocess.Popen(
            list(words),
            cwd=cwd,
            env={**variables, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with _ended(child):
            output = self._follow(child, grows, heard)
            status = child.wait()
        if status:
            raise ProgramFailed(status, output)
        return output

    def _follow(
        self, child: subprocess.Popen[bytes], grows: Path | None, heard: Callable[[str], None]
    ) -> str:
        kept, rest, look_again = b"", b"", time.monotonic() + _LOOK
        while child.stdout is not None:
            if select.select([child.stdout], [], [], _LOOK)[0]:
                data = os.read(child.stdout.fileno(), 65536)
                if not data:
                    break
                kept = (kept + data)[-_KEPT:]
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    heard(line.decode(errors="replace").strip())
                rest = rest[-_KEPT:]
            now = time.monotonic()
            self.limits.check()
            if grows is not None and now >= look_again:
                self.check_size(grows)
                # Looking through many files takes its time, too.
                look_again = time.monotonic() + max(_LOOK, 10 * (time.monotonic() - now))
        return kept.decode(errors="replace")

    def check_size(self, directory: Path) -> None:
        """Raise Failed when a directory is larger than allowed."""
        if sum(_sizes(directory)) > self.limits.largest:
            raise Failed(
                f"The repository or its environment is larger than {self.limits.largest // 2**20} MiB.",
                "Use a smaller one, or ask the administrator for more space.",
            )


def _sizes(directory: Path) -> Iterator[int]:
    for place, _, names in os.walk(directory, onerror=None):
        for name in names:
            try:
                yield os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue


@contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let no program outlive the block, nor what it has started where that can be told."""
    try:
        yield
    finally:
        if child.poll() is None:
            _end(child)
        if child.stdout is not None:
            child.stdout.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    if os.getpgrp() != os.getpid():
        child.terminate()
    else:
        # A server leads its own group: all of it is ours, git's helpers and compilers among it.
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(os.getpgrp(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
