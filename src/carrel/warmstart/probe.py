"""What a process can know of itself. The canary runs this as a script, forked and started the usual way.

It prints one line of JSON: facts by name, and `fresh`, what must not be the same in two processes.
"""

from __future__ import annotations

import gc
import json
import locale
import logging
import multiprocessing
import os
import random
import resource
import signal
import site
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

_STATUS = (
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
)
_MORE_STATUS = ("Groups", "Umask", "Cpus_allowed_list", "Uid", "Gid", "Speculation_Store_Bypass")
_FILES = (
    "cgroup",
    "comm",
    "oom_score_adj",
    "loginuid",
    "sessionid",
    "personality",
    "timerslack_ns",
    "attr/current",
)
_LINKS = ("exe", "root", "cwd")


def facts() -> dict[str, Any]:
    """Return what should be the same in both."""
    return _of_the_kernel() | _of_python() | _of_libraries()


def _of_the_kernel() -> dict[str, Any]:
    status = dict(line.split(":\t", 1) for line in _read("status").splitlines() if ":\t" in line)
    pid = os.getpid()
    return {
        **{name: status.get(name) for name in (*_STATUS, *_MORE_STATUS)},
        **{name: _read(name) for name in _FILES},
        **{name: _link(name) for name in _LINKS},
        "namespaces": {name: _link(f"ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))},
        "command line": _read("cmdline").split("\0"),
        "environment in /proc": sorted(_read("environ").replace(str(pid), "PID").split("\0")),
        "open": {name: _link(f"fd/{name}") for name in _descriptors()},
        "owner in /proc": os.stat("/proc/self/environ").st_uid,
        "leads": [os.getsid(0) == pid, os.getpgrp() == pid],
        "ids": [os.getresuid(), os.getresgid()],
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "scheduling": [os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))],
        "timers": [signal.getitimer(which) for which in (0, 1, 2)],
        "limits": {
            n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")
        },
    }


def _of_python() -> dict[str, Any]:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return {
        "environment": {name: value.replace(str(os.getpid()), "PID") for name, value in os.environ.items()},
        "argv": [sys.argv, sys.orig_argv],
        "interpreter": [sys.executable, sys.prefix, sys.base_prefix, sys.version],
        "sys.path": sys.path,
        "flags": str(sys.flags),
        "streams": [[s.encoding, s.errors, s.line_buffering, s.isatty()] for s in streams],
        "encodings": [sys.getfilesystemencoding(), locale.getpreferredencoding(False)],
        "locale": locale.setlocale(locale.LC_ALL, None),
        "time zone": [time.tzname, time.timezone],
        "signals": {n: str(signal.getsignal(n)) for n in map(int, signal.valid_signals())},
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
        "threads": [threading.active_count(), threading.current_thread() is threading.main_thread()],
        "limits of Python": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.dont_write_bytecode],
        "tracing": [str(sys.gettrace()), str(sys.getprofile())],
        "excepthook": sys.excepthook is sys.__excepthook__,
        "main": [__name__, sys.modules["__main__"].__dict__ is globals(), __file__],
        "users' packages": [site.ENABLE_USER_SITE, site.getuserbase(), site.getusersitepackages()],
    }


def _of_libraries() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "home": [os.path.expanduser("~"), str(Path.home())],
        "temporary files": tempfile.gettempdir(),
        "logging": [
            root.level,
            list(map(str, root.handlers)),
            logging.root.manager.disable,
            logging.raiseExceptions,
        ],
        "multiprocessing": [
            multiprocessing.current_process().name,
            multiprocessing.parent_process() is None,
            multiprocessing.get_start_method(allow_none=True),
        ],
    }


def fresh() -> list[str]:
    """Return what has to be another in each process."""
    key = bytes(multiprocessing.current_process().authkey).hex()
    return [
        str(random.random()),  # noqa: S311 - are they different?
        uuid.uuid4().hex,  # noqa: TID251 - see above
        os.urandom(8).hex(),
        key,
    ]


def _read(name: str) -> str:
    try:
        return Path("/proc/self", name).read_text(errors="replace").strip("\0\n")
    except OSError as error:
        return f"({error.strerror})"


def _link(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/{name}")
    except OSError as error:
        return f"({error.strerror})"


def _descriptors() -> list[str]:
    # Without the one that lists them.
    names = os.listdir("/proc/self/fd")
    return sorted(name for name in names if os.path.lexists(f"/proc/self/fd/{name}"))


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"facts": facts(), "fresh": fresh()}) + "\n")
