"""What a template imports, and until when that is what is installed."""

from __future__ import annotations

import importlib
import os
import site
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The programs: of what is not installed nothing is imported.
_PROGRAMS = (
    "jupyter_server.serverapp",
    "jupyterlab.labapp",
    "jupyter_lsp",
    "jupyter_server_terminals.app",
    "notebook_shim.nbserver",
    "notebook.app",
    "jupyterlab_server",
    "nbconvert.exporters",
    "ipykernel",
    "carrel_client.singleuser.app",
    "jupyterhub.singleuser.extension",
)
#: What those import once they run and are used, as far as it is safe to: one name a line.
_LATER = Path(__file__).with_name("modules.txt")
#: Made by the first who imports something, which may be the template.
_COMPILED = "__pycache__"
_MARKERS = (".dist-info", ".egg-info", ".egg-link", ".pth")

Stamp = tuple[str, int, int]


def preload() -> list[str]:
    """Import all of it; return what was wrong with modules that are installed and cannot be imported."""
    problems, limit = [], sys.getrecursionlimit()
    for name in (*_PROGRAMS, *_LATER.read_text().split()):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        except Exception as error:
            problems.append(f"{name}: {type(error).__name__}: {error}")
    # Some libraries raise it for the whole process.
    sys.setrecursionlimit(limit)
    if "ssl" in sys.modules:
        # What OpenSSL makes once in a process need not be made in each server: three megabytes.
        sys.modules["ssl"].create_default_context()
    return problems


def unsafe() -> list[str]:
    """Return why no child may be forked from this process; empty when any may."""
    found = []
    if threading.active_count() != 1 or len(os.listdir("/proc/self/task")) != 1:
        found.append(f"there are threads: {[thread.name for thread in threading.enumerate()]}")
    zmq = sys.modules.get("zmq")
    if zmq is not None and getattr(zmq.Context, "_instance", None) is not None:
        found.append("there is a ZeroMQ context")
    if _has_loop():
        found.append("there is an event loop")
    traitlets = sys.modules.get("traitlets.config")
    if traitlets is not None:
        classes = _below(traitlets.SingletonConfigurable)
        found += [f"there is a {cls.__name__}" for cls in classes if vars(cls).get("_instance") is not None]
    for number in _descriptors():
        found.append(f"descriptor {number} is open: {_target(number)}")
    return found


def _has_loop() -> bool:
    # Asking for the current loop would make one, on some versions.
    events = sys.modules.get("asyncio.events")
    policy: Any = getattr(events, "_event_loop_policy", None)
    return getattr(getattr(policy, "_local", None), "_loop", None) is not None


def _below(cls: type) -> Iterator[type]:
    subclasses: list[type] = type.__subclasses__(cls)
    for below in subclasses:
        yield below
        yield from _below(below)


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2 and _target(int(name))]


def _target(number: int) -> str:
    try:
        found = os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""
    return "" if found == f"/proc/{os.getpid()}/fd" else found


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed at one moment."""

    directories: tuple[Stamp, ...]
    files: tuple[Stamp, ...] = ()

    def with_loaded_files(self) -> Installed:
        """Return the same with the files of all modules that are loaded."""
        names = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        return Installed(self.directories, tuple(_stamp(name) for name in sorted(filter(None, names))))

    def has_changed(self) -> bool:
        """Tell whether anything was installed, removed or edited since; takes some milliseconds."""
        if look_at_packages().directories != self.directories:
            return True
        return any(_stamp(stamp[0]) != stamp for stamp in self.files)


def look_at_packages() -> Installed:
    """Return what is in the directories that packages are installed to, without the files of modules."""
    places = {*site.getsitepackages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return Installed(tuple(_directories(sorted(places))))


def _directories(places: Iterable[str]) -> Iterator[Stamp]:
    for place in places:
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        for name in names:
            path = os.path.join(place, name)
            if name.endswith(_MARKERS):
                yield _stamp(path)
            elif name != _COMPILED:
                yield path, 0, 0


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return path, 0, -1
    return path, found.st_mtime_ns, found.st_size
