"""What a template is asked for, so that its child has everything that a child of the hub would have."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from carrel.lib.processes import Program
from carrel.spawners.scripts import NoWarmStart, Obstacle, Script
from carrel.warmstart.places import own_groups
from carrel.warmstart.wire import Request, Rights, Surroundings

#: Popen sets these back, and every Python then ignores two of them anyway.
_RESTORED = {signal.SIGPIPE, signal.SIGXFSZ, getattr(signal, "SIGXFZ", signal.SIGPIPE)}
_STATUS = Path("/proc/thread-self/status")


def request_for(program: Program, script: Script) -> Request:
    """Return the request for `program`, whose command is `script`; call it in the thread that would start it.

    Raises NoWarmStart for what only a new process can have.
    """
    if program.popen:
        raise NoWarmStart(
            f"there are arguments for Popen: {', '.join(sorted(program.popen))}", Obstacle.SETTINGS
        )
    if program.surround is not None:
        raise NoWarmStart("it has name spaces of its own", Obstacle.SETTINGS)
    if any(not (name.isascii() and name.isidentifier()) for name in program.env):
        raise NoWarmStart("there are variables whose names only some shells hand on", Obstacle.SETTINGS)
    account = program.account
    rights = None
    if account is not None:
        rights = Rights(uid=account.uid, gid=account.gid, groups=tuple(account.groups))
    name, home = (account.name, account.home) if account is not None else _own_account()
    return Request(
        argv=(script.path, *program.argv[1:]),
        env=dict(program.env),
        home=program.home,
        account_name=name,
        account_home=home,
        rights=rights,
        pid_variable=program.pid_variable,
        surroundings=surroundings(program.umask),
    )


def surroundings(umask: int) -> Surroundings:
    """Return what a child would have of this process, had it not been forked elsewhere."""
    ignored, blocked = _signals()
    return Surroundings(
        umask=umask,
        control_groups=own_groups(),
        limits={name: resource.getrlimit(getattr(resource, name)) for name in _limit_names()},
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        oom_score_adj=_oom_score_adj(),
        ignored_signals=tuple(sorted(ignored - _RESTORED)),
        blocked_signals=tuple(sorted(blocked)),
    )


def _limit_names() -> Iterator[str]:
    return (name for name in dir(resource) if name.startswith("RLIMIT_"))


def _oom_score_adj() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/oom_score_adj").read_text())
    return None


def _signals() -> tuple[set[int], set[int]]:
    """Return which signals are ignored and which are blocked."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    return _numbers(lines["SigIgn"]), _numbers(lines["SigBlk"])


def _numbers(mask: str) -> set[int]:
    bits = int(mask, 16)
    return {number for number in signal.valid_signals() if bits >> (number - 1) & 1}


def _own_account() -> tuple[str, str]:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        return "", "/"
    return entry.pw_name, entry.pw_dir
