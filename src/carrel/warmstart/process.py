"""A template from its start to its end, and in each child up to where the script is run."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import site
import sys
from collections.abc import Sequence

from carrel.warmstart import marks, preload, proc_strings, variables, wire
from carrel.warmstart.child import Ready, become_server
from carrel.warmstart.heal import find_marks
from carrel.warmstart.template import Life, Template, listen

EXIT_UNSAFE = 3
_TITLE = "carrel-warmstart"


def serve(arguments: Sequence[str]) -> list[str]:
    """Be a template; return in each child, with the script to run and its arguments.

    Exits when nobody needs it any more, and with 3 when no child may be forked from it.
    """
    directory, life = _options(arguments)
    os.chdir("/")
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    room = proc_strings.find_room()
    installed = preload.look_at_packages()
    added = {name: value for name, value in os.environ.items() if name not in _initial()}
    marks.forget_padding()
    before = {name: value for name, value in os.environ.items() if name not in added}
    variables.watch()
    problems = preload.preload()
    read = variables.seen()
    for problem in problems:
        print(f"Not imported: {problem}", file=sys.stderr)
    installed = installed.with_loaded_files()
    findings = find_marks()
    unsafe = [*preload.unsafe(), *(f"this cannot be put right: {text}" for text in findings.stuck)]
    if unsafe:
        print("\n".join(unsafe), file=sys.stderr)
        sys.exit(EXIT_UNSAFE)
    ready = Ready(
        room=room,
        findings=findings,
        environment=before,
        added=added,
        read=read,
        loaded=frozenset(sys.modules),
        user_site=bool(site.ENABLE_USER_SITE),
    )
    os.environ.clear()
    ctypes.CDLL(None).clearenv()
    title = [sys.executable, _TITLE, directory]
    room.show(title, {}, _TITLE)
    starts, hubs = (listen(os.path.join(directory, name)) for name in (wire.START_SOCKET, wire.HUB_SOCKET))
    sys.stderr.flush()
    gc.collect()
    gc.disable()
    gc.freeze()
    connection = Template(starts, hubs, installed.has_changed, life).serve()
    if connection is None:
        os._exit(0)
    gc.enable()
    return list(become_server(connection, ready).argv)


def _initial() -> set[str]:
    """Return the names of the variables that this process was started with."""
    with contextlib.suppress(OSError), open("/proc/self/environ", "rb") as file:
        return {os.fsdecode(entry.partition(b"=")[0]) for entry in file.read().split(b"\0")}
    return set(os.environ)


def _options(arguments: Sequence[str]) -> tuple[str, Life]:
    usual = Life()
    parser = argparse.ArgumentParser(_TITLE, description="Imports a single-user program and forks servers.")
    parser.add_argument("directory")
    parser.add_argument("--idle", type=float, default=usual.idle)
    parser.add_argument("--age", type=float, default=usual.age)
    parser.add_argument("--forks", type=int, default=usual.forks)
    parser.add_argument("--room", help="fills the command line: see proc_strings")
    found = parser.parse_args(list(arguments))
    return found.directory, Life(found.idle, found.age, found.forks)
