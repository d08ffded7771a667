"""What `ps` and /proc show of this process: the strings that the kernel copied when it was started.

They lie in the process's own memory. Whoever starts a template makes them long, so that there is room for the
command line and the environment of a server: see `marks`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PR_SET_NAME, _PR_SET_MM, _PR_SET_MM_MAP = 15, 35, 14
_LONGEST_NAME = 15
# Positions in /proc/PID/stat, counted from the parent on.
_CODE, _STACK, _DATA, _STRINGS = slice(22, 24), 24, slice(41, 44), slice(44, 48)


class _Map(ctypes.Structure):
    """`struct prctl_mm_map` of linux/prctl.h."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("start_code", "end_code", "start_data", "end_data")),
        *((name, ctypes.c_uint64) for name in ("start_brk", "brk", "start_stack")),
        *((name, ctypes.c_uint64) for name in ("arg_start", "arg_end", "env_start", "env_end")),
        ("auxv", ctypes.c_void_p),
        ("auxv_size", ctypes.c_uint32),
        ("exe_fd", ctypes.c_uint32),
    )


@dataclass(frozen=True, slots=True)
class Room:
    """Where the strings lie, as large as they were at the start."""

    code: tuple[int, int]
    stack: int
    data: tuple[int, int]
    heap: int
    arguments: tuple[int, int]
    environment: tuple[int, int]

    def fits(self, argv: Sequence[str], env: Mapping[str, str]) -> bool:
        """Tell whether these can be shown."""
        rooms = ((_argument_bytes(argv), self.arguments), (_environment_bytes(env), self.environment))
        return all(len(text) < end - start for text, (start, end) in rooms)

    def show(self, argv: Sequence[str], env: Mapping[str, str], name: str) -> None:
        """Let `ps` show these. The C library must not use its own environment any more: `clearenv` before."""
        arguments, environment = _argument_bytes(argv), _environment_bytes(env)
        for text, (start, end) in ((arguments, self.arguments), (environment, self.environment)):
            ctypes.memset(start, 0, end - start)
            ctypes.memmove(start, text, len(text))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        label = ctypes.create_string_buffer(os.fsencode(name)[:_LONGEST_NAME])
        libc.prctl(_PR_SET_NAME, ctypes.addressof(label), 0, 0, 0)
        self._trim(libc, len(arguments), len(environment))

    def _trim(self, libc: ctypes.CDLL, arguments: int, environment: int) -> None:
        """Tell the kernel where the strings end now. Where it does not listen, they end in NULs."""
        libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
        (first, _), (second, _) = self.arguments, self.environment
        bounds = _Map(
            *self.code,
            *self.data,
            self.heap,
            libc.sbrk(0),
            self.stack,
            *(first, first + arguments, second, second + environment),
            *(None, 0, 0xFFFFFFFF),
        )
        libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, ctypes.addressof(bounds), ctypes.sizeof(bounds), 0)


def find_room() -> Room:
    """Return the room that this process was started with. Raises OSError where /proc does not say."""
    with open("/proc/self/stat") as file:
        fields = [int(word) for word in file.read().rpartition(")")[2].split()[1:]]
    data, heap = fields[_DATA][:2], fields[_DATA][2]
    arg_start, arg_end, env_start, env_end = fields[_STRINGS]
    code = fields[_CODE]
    if not arg_start:
        raise OSError("/proc does not say where the strings of this process lie")
    return Room(
        (code[0], code[1]),
        fields[_STACK],
        (data[0], data[1]),
        heap,
        (arg_start, arg_end),
        (env_start, env_end),
    )


def _argument_bytes(argv: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(word) + b"\0" for word in argv)


def _environment_bytes(env: Mapping[str, str]) -> bytes:
    return b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in env.items())
