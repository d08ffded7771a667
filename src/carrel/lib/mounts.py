"""A view of the file system that only one thread, and what it starts, has: by mounts nobody else sees."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

# From <sched.h>, <sys/mount.h> and <linux/mount.h>.
_NEW_NAME_SPACE = 0x20000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_BIND, _RECURSIVE, _SLAVE = 4096, 16384, 1 << 19
_MOUNT_SETATTR = 442
_HERE = -100
_WHOLE_TREE = 0x8000

#: What programs need of /dev, besides terminals and shared memory.
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_TERMINALS = os.makedev(5, 2)
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - the directories that are replaced


@dataclass(frozen=True, slots=True)
class View:
    """What differs from what everybody sees; paths are absolute."""

    private_tmp: bool = False
    """The directories for temporary files are empty and in memory."""
    private_devices: bool = False
    """/dev has what every program needs, and none of the machine's disks, cards and the like."""
    read_only: tuple[str, ...] = ()
    """Nothing can be written at these paths and below them, whatever is mounted there."""
    hidden: tuple[str, ...] = ()
    """These directories are empty and closed, these files empty."""

    def __bool__(self) -> bool:
        return self != EVERYBODYS

    def replaces(self, path: str) -> str:
        """Return the replaced directory that `path` is in, empty when it is in none."""
        gone = (*(_TEMPORARY if self.private_tmp else ()), *self.hidden)
        whole = Path(os.path.realpath(path))
        return next((each for each in gone if whole.is_relative_to(os.path.realpath(each))), "")


EVERYBODYS = View()


class CannotShow(Exception):
    """A view cannot be had; the text says which part of it and why."""


def enter(view: View) -> None:
    """Give the calling thread, and all that it starts from now on, this view; there is no way back.

    Only for a thread that ends soon. Takes CAP_SYS_ADMIN. What the machine mounts later is seen, and nothing
    that is mounted here is seen outside. Raises CannotShow.
    """
    _call("a view of its own", "unshare", _NEW_NAME_SPACE)
    _mount("a view of its own", None, "/", None, _RECURSIVE | _SLAVE)
    for path in view.read_only:
        _protect(path)
    for path in view.hidden:
        _hide(path)
    if view.private_devices:
        _replace_devices()
    if view.private_tmp:
        for path in _TEMPORARY:
            _mount(f"a private {path}", "tmpfs", path, "mode=1777", _NO_SUID | _NO_DEVICES, "tmpfs")


def _protect(path: str) -> None:
    what = f"{path} read-only"
    _require(what, path)
    if path != "/":
        _mount(what, path, path, None, _BIND | _RECURSIVE)
    # struct mount_attr: what to set, what to clear, how it spreads, whose name space.
    wanted = struct.pack("4Q", _READ_ONLY, 0, 0, 0)
    _call(what, "syscall", _MOUNT_SETATTR, _HERE, os.fsencode(path), _WHOLE_TREE, wanted, len(wanted))


def _hide(path: str) -> None:
    what = f"{path} hidden"
    if stat.S_ISDIR(_require(what, path).st_mode):
        flags = _READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_EXEC
        _mount(what, "tmpfs", path, "mode=000,size=4k", flags, "tmpfs")
    else:
        _mount(what, "/dev/null", path, None, _BIND)


def _replace_devices() -> None:
    what = "a private /dev"
    with ExitStack() as stack:
        kept = dict(_opened(stack))
        _mount(what, "tmpfs", "/dev", "mode=755,size=64k", _NO_SUID | _NO_EXEC, "tmpfs")
        for name, descriptor in kept.items():
            place = Path("/dev", name)
            if name == "pts":
                place.mkdir()
            else:
                place.touch()
            _mount(what, f"/proc/thread-self/fd/{descriptor}", str(place), None, _BIND)
    _make_terminals(Path("/dev/ptmx"))
    for name, target in _LINKS.items():
        Path("/dev", name).symlink_to(target)
    Path("/dev/shm").mkdir()  # noqa: S108 - a mount point in a directory of root's
    _mount(what, "tmpfs", "/dev/shm", "mode=1777", _NO_SUID | _NO_DEVICES, "tmpfs")  # noqa: S108


def _make_terminals(place: Path) -> None:
    # It looks for its terminals beside itself: one that is mounted from elsewhere would find none.
    try:
        os.mknod(place, stat.S_IFCHR | 0o666, _TERMINALS)
        place.chmod(0o666)
    except PermissionError:
        place.symlink_to("pts/ptmx")


def _opened(stack: ExitStack) -> Iterator[tuple[str, int]]:
    """Yield handles of what is kept of /dev: its paths are hidden once another file system is there."""
    for name in (*_DEVICES, "pts"):
        if Path("/dev", name).exists():
            descriptor = os.open(f"/dev/{name}", os.O_PATH)
            stack.callback(os.close, descriptor)
            yield name, descriptor


def _require(what: str, path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise CannotShow(f"{what}: {error.strerror}") from None


def _mount(
    what: str, source: str | None, target: str, data: str | None, flags: int, kind: str | None = None
) -> None:
    texts = [None if each is None else os.fsencode(each) for each in (source, target, kind, data)]
    _call(what, "mount", texts[0], texts[1], texts[2], flags, texts[3])


def _call(what: str, name: str, *arguments: int | bytes | None) -> None:
    import ctypes  # few hubs need it

    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)) != 0:
        raise CannotShow(f"{what}: {os.strerror(ctypes.get_errno())}")
