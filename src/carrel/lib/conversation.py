"""Talking with a program that may say more than anybody wants to keep."""

from __future__ import annotations

import asyncio
import contextlib

_CHUNK = 2**16


class SaidTooMuch(Exception):
    """A program said more than its caller reads; it may run on."""


async def converse(process: asyncio.subprocess.Process, request: bytes, most: int) -> tuple[bytes, bytes]:
    """Return what a process with three pipes says and complains of until it ends.

    Raises SaidTooMuch when one of the two is longer than `most` bytes; the process is the caller's to end.
    """
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a process was started without pipes")
    process.stdin.write(request)
    process.stdin.close()
    said = await asyncio.gather(_all(process.stdout, most), _all(process.stderr, most))
    await process.wait()
    return said[0], said[1]


def hang_up(process: asyncio.subprocess.Process) -> None:
    """Kill a process where we may, and close our ends of its pipes: who writes hears that nobody listens.

    May be repeated.
    """
    with contextlib.suppress(PermissionError):
        # asyncio has no public word for it: a pipe that nobody reads would keep wait() from ending.
        process._transport.close()  # type: ignore[attr-defined]


async def _all(stream: asyncio.StreamReader, most: int) -> bytes:
    found = bytearray()
    while chunk := await stream.read(_CHUNK):
        found += chunk
        if len(found) > most:
            raise SaidTooMuch
    return bytes(found)
