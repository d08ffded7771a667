"""From a fork of the template to what an exec would have made: the user's process, about to run its script.

Nothing here may be left half done: whatever fails before the answer `pid`, the hub starts the server the
usual way. The order matters and is explained where it does.
"""

from __future__ import annotations

import ctypes
import locale
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass

from carrel.warmstart import wire
from carrel.warmstart.heal import Findings
from carrel.warmstart.marks import CONTRACT
from carrel.warmstart.places import join_groups
from carrel.warmstart.proc_strings import Room
from carrel.warmstart.user_site import add_user_site
from carrel.warmstart.variables import reason_for_exec
from carrel.warmstart.wire import Request, Rights, Surroundings

_PR_SET_DUMPABLE = 4
_PATIENCE = 30.0
#: What Python itself sets when it starts.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_OWN_PACKAGE = "carrel"


class NeedsExecError(Exception):
    """This server has to be started the usual way."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a template knows once it has everything imported."""

    room: Room
    findings: Findings
    environment: Mapping[str, str]
    """What it was started with."""
    added: Mapping[str, str]
    """What the interpreter itself has added to that."""
    read: frozenset[str]
    """Variables that were looked at meanwhile."""
    loaded: frozenset[str]
    user_site: bool
    """Whether this interpreter looks for packages of users."""


def become_server(connection: socket.socket, ready: Ready) -> Request:
    """Turn this process into the one that `connection` asks for, and return what it asked for.

    Ends the process when it cannot be done, or when nobody waits for it any more.
    """
    connection.settimeout(_PATIENCE)
    try:
        request, output = wire.receive_request(connection)
        _become(request, output, connection.fileno(), ready)
        connection.sendall(wire.encode({"pid": os.getpid()}))
        if connection.recv(1) != wire.GO:
            os._exit(0)
    except (NeedsExecError, OSError, ValueError, wire.BadMessageError) as error:
        _refuse(connection, str(error) or type(error).__name__)
    except BaseException as error:
        _refuse(connection, repr(error))
    connection.close()
    # Off after a change of the user, and so /proc/self is root's. Not on before: whoever has the same rights
    # could take the connection out of this process and answer the hub in its place.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    return request


def _refuse(connection: socket.socket, why: str) -> None:
    try:
        connection.sendall(wire.encode({"refused": why}))
    finally:
        os._exit(0)


def _become(request: Request, output: int, connection: int, ready: Ready) -> None:
    env = dict(request.env)
    if request.pid_variable:
        env[request.pid_variable] = str(os.getpid())
    argv = [sys.executable, *request.argv]
    why = reason_for_exec(request.env, ready.environment, ready.read)
    if why:
        raise NeedsExecError(why)
    os.setsid()
    _settle(request.surroundings)
    _keep_only(output, connection)
    _reset_signals(request.surroundings)
    if request.rights is not None:
        _take_rights(request.rights)
    os.umask(request.surroundings.umask)
    env.update(_enter(request.home))
    if not ready.room.fits(argv, env):
        raise NeedsExecError("its environment or command line is very long")
    # The C library's own environment lies where the new strings go.
    os.environ.clear()
    ctypes.CDLL(None).clearenv()
    ready.room.show(argv, env, os.path.basename(request.argv[0]))
    os.environ.update({**env, **ready.added})
    _refresh(request, ready)
    _set_command_line(request)


def _settle(surroundings: Surroundings) -> None:
    """Take over what a child of the hub would have from it. While there still are the rights to."""
    join_groups(surroundings.control_groups)
    for name, bounds in surroundings.limits.items():
        number = getattr(resource, name, None)
        if number is not None and resource.getrlimit(number) != bounds:
            resource.setrlimit(number, bounds)
    if surroundings.nice is not None and surroundings.nice != os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, surroundings.nice)
    if surroundings.oom_score_adj is not None:
        with open("/proc/self/oom_score_adj", "r+") as file:
            if int(file.read()) != surroundings.oom_score_adj:
                file.seek(0)
                file.write(str(surroundings.oom_score_adj))


def _keep_only(output: int, connection: int) -> None:
    """Leave 0 to 2, as a server has them, and the connection; close whatever else was inherited."""
    null = os.open(os.devnull, os.O_RDWR)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target, inheritable=True)
    last = max(int(name) for name in os.listdir("/proc/self/fd"))
    os.closerange(3, connection)
    os.closerange(connection + 1, last + 1)


def _reset_signals(surroundings: Surroundings) -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    for ignored in {*_IGNORED_BY_PYTHON, *surroundings.ignored_signals}:
        signal.signal(ignored, signal.SIG_IGN)
    if signal.SIGINT not in surroundings.ignored_signals:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, surroundings.blocked_signals)


def _take_rights(rights: Rights) -> None:
    os.setgroups(rights.groups)
    os.setresgid(rights.gid, rights.gid, rights.gid)
    os.setresuid(rights.uid, rights.uid, rights.uid)
    if os.getresuid() != (rights.uid,) * 3 or os.getresgid() != (rights.gid,) * 3:
        raise NeedsExecError("its rights could not be taken")


def _enter(home: str) -> dict[str, str]:
    """Enter a directory, `/` if that cannot be; return the variables by which shells say where they are."""
    os.chdir("/")
    try:
        os.chdir(home)
    except OSError:
        os.write(2, f"Cannot enter {home}: starting in /\n".encode(errors="surrogateescape"))
        home = "/"
    return {"PWD": home, "OLDPWD": "/"}


def _refresh(request: Request, ready: Ready) -> None:
    """Make anew what was made of the template's environment, or is the same in all of its children."""
    env = os.environ
    name = env.get("USER", request.account_name)
    values = {
        "HOME": env.get("HOME", request.account_home),
        "USER": name,
        "LOGNAME": env.get("LOGNAME", name),
        **{each: env[each] for each in CONTRACT},
    }
    time.tzset()
    locale.setlocale(locale.LC_CTYPE, "")
    ready.findings.heal(env, values)
    tempfile.tempdir = None
    if "multiprocessing.process" in sys.modules:
        current = sys.modules["multiprocessing.process"].current_process()
        current.authkey = os.urandom(32)
    logging = sys.modules.get("logging")
    if logging is not None:
        logging._startTime = time.time_ns() if sys.version_info >= (3, 13) else time.time()  # type: ignore[attr-defined]  # noqa: TID251
    why = add_user_site(allowed=ready.user_site, loaded=ready.loaded)
    if why:
        raise NeedsExecError(why)


def _set_command_line(request: Request) -> None:
    script = request.argv[0]
    # With the rights of the user: who may not read or run these must not get them by way of the template.
    for path, mode in ((sys.executable, os.X_OK), (script, os.R_OK | os.X_OK)):
        if not os.access(path, mode):
            raise NeedsExecError(f"{path} cannot be run by its user")
    sys.argv, sys.orig_argv = list(request.argv), [sys.executable, *request.argv]
    sys.path[0] = os.path.dirname(os.path.realpath(script))
    for name in [name for name in sys.modules if name.partition(".")[0] == _OWN_PACKAGE]:
        del sys.modules[name]
