"""Processes that outlive whoever started them: start one, know it again, signal it, wait for its end.

A process is known by its pid and by when it started, never by the pid alone: pids are used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from carrel.lib.process_table import Process, is_alive, look

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
_ENTER_HOME = 'cd -- "$1" || { echo "Cannot enter $1: starting in /"; cd /; }; shift; '
_EXEC = 'exec "$@"'
_GATE = "read -r CARREL_GATE || exit 125; exec </dev/null; "
_THOROUGH_SHELL = "/bin/bash"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose rights a program gets."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and as whom."""

    argv: Sequence[str]
    env: Mapping[str, str]
    home: str = "/"
    """The working directory, entered with the account's rights; `/` when that fails."""
    account: Account | None = None
    """None keeps the rights of this process; any other needs root."""
    umask: int = 0o022
    pid_variable: str = ""
    """A variable that tells the program its own pid, and what it starts that it is not the program."""
    popen: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments for Popen, which win."""
    admit: Callable[[int], None] | None = None
    """Called with its pid before it runs anything; it waits so long. What that raises, it does not outlive.
    Its standard input is /dev/null then, whatever `popen` says."""
    surround: Callable[[], None] | None = None
    """Called in a thread of its own that starts the program and ends: the name spaces that it changes to are
    the program's. What it raises keeps the program from being started."""


def find_account(name: str) -> Account:
    """Return the account called `name`, wherever the system keeps it; raises KeyError when there is none."""
    entry = pwd.getpwnam(name)
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return Account(name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_shell)


async def launch(program: Program, output: int = subprocess.DEVNULL) -> Process:
    """Start `program` in a session of its own, without any tie to this process, and return which one it is.

    The work is done in a thread. `output` is a descriptor for what the program writes; the caller closes its
    own copy. Raises OSError when nothing could be started; when cancelled, kills what was started first.
    """
    starting = asyncio.ensure_future(asyncio.to_thread(_launch, program, output))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Shielded, too: who is cancelled once more does not wait for it.
        await asyncio.shield(asyncio.ensure_future(_undo(starting)))
        raise


async def _undo(starting: asyncio.Future[Process]) -> None:
    # What else comes of it is told to nobody any more.
    with contextlib.suppress(Exception):
        process = await starting
        send(process, signal.SIGKILL)
        await wait_until_gone(process, _LONGEST_PAUSE * 10)


def _launch(program: Program, output: int) -> Process:
    if program.surround is None:
        return _fork(program, output)
    started: Future[Process] = Future()

    def run(surround: Callable[[], None] = program.surround) -> None:
        try:
            surround()
            started.set_result(_fork(program, output))
        except BaseException as error:
            started.set_exception(error)

    # Not a thread that serves others later.
    thread = threading.Thread(target=run, name="start of a program in name spaces of its own")
    thread.start()
    thread.join()
    return started.result()


def _fork(program: Program, output: int) -> Process:
    if program.admit is None:
        return _popen(program, output)
    waiting, gate = os.pipe()
    with os.fdopen(gate, "wb", buffering=0) as opener:
        try:
            process = _popen(program, output, {"stdin": waiting})
        finally:
            os.close(waiting)
        try:
            program.admit(process.pid)
            opener.write(b"\n")
        except BaseException:
            # It has done nothing yet but wait, and nobody will know of it.
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
            raise
    return process


def _popen(program: Program, output: int, gate: Mapping[str, Any] | None = None) -> Process:
    account = program.account
    rights: dict[str, Any] = {}
    if account is not None:
        rights = {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}
    arguments: dict[str, Any] = {
        "env": dict(program.env),
        "stdin": subprocess.DEVNULL,
        "stdout": output,
        "stderr": output,
        "start_new_session": True,
        "umask": program.umask,
        "cwd": "/",
        **rights,
        **program.popen,
        **(gate or {}),
    }
    child = subprocess.Popen(_command(program), **arguments)
    start_time = _start_time(child.pid)
    # Popen would otherwise collect the exit status behind our back when this object is dropped.
    child.returncode = 0
    return Process(child.pid, start_time)


def _command(program: Program) -> list[str]:
    script, words = _GATE if program.admit is not None else "", list(program.argv)
    if "cwd" not in program.popen:
        # Root may not enter a home on a network file system; its owner may.
        script, words = script + _ENTER_HOME, [program.home, *words]
    if program.pid_variable:
        script += f"export {program.pid_variable}=$$; "
    return [_shell(program.env), "-c", script + _EXEC, "sh", *words] if script else words


def _shell(env: Mapping[str, str]) -> str:
    """Return a shell that hands on all variables: some drop those whose names are none in their language."""
    names_are_usual = all(name.isascii() and name.isidentifier() for name in env)
    return "/bin/sh" if names_are_usual or not os.access(_THOROUGH_SHELL, os.X_OK) else _THOROUGH_SHELL


def _start_time(pid: int) -> str:
    seen = look(pid)
    return seen.start_time if seen else ""


def collect(process: Process) -> int | None:
    """Return the exit status of a child that has ended (negative: a signal), once; None otherwise."""
    seen = look(process.pid)
    if seen is None or seen.start_time != process.start_time:
        return None
    try:
        pid, status = os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None


def send(process: Process, sig: int) -> bool:
    """Send a signal and tell whether the process was there; raises PermissionError when we may not."""
    with _pidfd(process) as descriptor:
        if descriptor is None:
            if not is_alive(process):
                return False
            return _sent(partial(os.kill, process.pid, sig))
        return _sent(partial(signal.pidfd_send_signal, descriptor, sig))


def send_to_group(process: Process, sig: int) -> None:
    """Send a signal to what is left of the process group that `process` led, if anything.

    Only for a process that was there a moment ago: of one that ended long since, the number may be another
    group's.
    """
    seen = look(process.pid)
    # A number is not used again while a group has it: if the pid is somebody else's now, the group is gone.
    if seen is not None and seen.start_time != process.start_time:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sig)


async def wait_until_gone(process: Process, timeout: float) -> bool:
    """Return True as soon as the process has ended, False after `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            with _pidfd(process) as descriptor:
                if descriptor is None:
                    await _watch_slowly(process)
                else:
                    await _wait_readable(descriptor)
    except TimeoutError:
        return not is_alive(process)
    return True


async def _wait_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, lambda: None if ended.done() else ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)


async def _watch_slowly(process: Process) -> None:
    pause = _FIRST_PAUSE
    while is_alive(process):
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


@contextlib.contextmanager
def _pidfd(process: Process) -> Iterator[int | None]:
    """Yield a descriptor of exactly this process, or None where there is none to be had."""
    descriptor: int | None = None
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.pidfd_open(process.pid)
    try:
        # The descriptor names whatever had the pid when it was opened: look only now whether that was ours.
        yield descriptor if descriptor is not None and is_alive(process) else None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _sent(deliver: Callable[[], None]) -> bool:
    try:
        deliver()
    except ProcessLookupError:
        return False
    return True
