"""The route table on disk, so that a restart serves before any hub is up.

A change is in the file before it is answered: one line, handed to the kernel in one write. It is not synced,
which would cost a turn of the disk for each: the end of this process, at any instruction, loses nothing that
was answered, but a power cut may lose the changes of the last seconds. Now and then the file is replaced by a
snapshot, which is synced. Activity times are stored with snapshots.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from carrel.dataplane.journal import Head, Record, Snapshot, decode, encode_record
from carrel.dataplane.routes import Change, RouteTable
from carrel.dataplane.writers import Mark
from carrel.lib.clock import Clock, Timestamp

#: The file is replaced when its changes speak of more routes than this and than twice those of the table.
_MANY = 1000
#: How many routes are encoded before others get their turn.
_SLICE = 500
_ACTIVITY_SECONDS = 60.0
_RETRY_SECONDS = 10.0


class RouteFile:
    """Keeps a file equal to a table. When it cannot be written, the table goes on without it."""

    def __init__(self, path: Path, table: RouteTable, log: logging.Logger, clock: Clock) -> None:
        self._path = path
        self._table = table
        self._log = log
        self._clock = clock
        #: The last change in the file, and how many routes those after its snapshot speak of.
        self._number = self._entries = 0
        #: Bytes of complete lines; 0 when the file takes no more.
        self._size = 0
        #: Where changes are appended; None while the file is not what the table was before the next change.
        self._handle: int | None = None
        #: The lines of changes made since a snapshot was begun that is not in place yet.
        self._late: list[bytes] | None = None
        self._failing = False
        #: The newest activity that the file knows of.
        self._activity: Timestamp = 0.0
        self._due = asyncio.Event()
        self._replacing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Put the remembered routes into the table, and write every change from now on.

        Nobody else may write the file meanwhile. A damaged one is reported, set aside, and counts as empty.
        Raises OSError when the file cannot be read or its directory not be written.
        """
        if not os.access(self._path.parent, os.W_OK | os.X_OK):
            raise PermissionError(f"cannot write in the directory of {self._path}")
        try:
            self._load(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except ValueError as error:
            self._set_aside(error)
        self._table.on_change(self._changed)
        self._table.writers.on_note(self._noted)
        self._resume()
        if self._handle is None and not await self._replace():
            self._due.set()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep()), loop.create_task(self._watch_activity())]

    async def close(self) -> None:
        """Store the table with its activity times; what changes after that is not written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._replace()
        self._let_go()

    def _load(self, content: bytes) -> None:
        found = decode(content)
        self._table.load((route.spec, route.data, route.last_activity) for route in found.routes.values())
        for mark in found.writers.all():
            self._table.writers.note(mark)
        if found.torn:
            self._log.warning("The route file %s ends within a change, which is dropped", self._path)
        self._number, self._entries, self._size = found.number, found.entries, found.size
        self._activity = self._newest()

    def _set_aside(self, error: ValueError) -> None:
        kept = self._path.with_name(f"{self._path.name}.damaged")
        what = f"The route file {self._path} is damaged ({error}): starting without its routes"
        try:
            self._path.replace(kept)
        except OSError as reason:
            self._log.warning("%s. It cannot be kept: %s", what, reason)
        else:
            self._log.warning("%s. It is kept as %s", what, kept)

    def _resume(self) -> None:
        """Open the file that was loaded, if it is one that takes more changes."""
        if not self._size:
            return
        try:
            self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(self._handle, self._size)
        except OSError as error:
            self._give_up(error)
        if self._entries:
            self._due.set()

    def _changed(self, change: Change) -> None:
        now = self._clock.now()
        self._add(Record(self._number + 1, now, change.put, change.removed, change.whole))

    def _noted(self, mark: Mark) -> None:
        self._add(Record(self._number + 1, mark=mark))

    def _add(self, record: Record) -> None:
        """Write what was done, before anybody is told so."""
        line = encode_record(record)
        self._number = record.number
        self._entries += record.entries
        if self._late is not None:
            self._late.append(line)
        elif self._entries > max(_MANY, 2 * len(self._table)):
            self._due.set()
        if self._handle is not None:
            self._append(self._handle, line)

    def _append(self, handle: int, line: bytes) -> None:
        try:
            _write(handle, line)
        except OSError as error:
            # What follows half a line, or a gap, would be damage; so nothing does.
            with contextlib.suppress(OSError):
                os.ftruncate(handle, self._size)
            self._give_up(error)
            self._due.set()
        else:
            self._size += len(line)

    def _give_up(self, error: OSError) -> None:
        """Leave the file as it is until it can be replaced."""
        self._let_go()
        self._complain(error)

    def _let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _complain(self, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            self._log.error("Cannot write the route file %s: %s. Serving goes on", self._path, error)

    async def _keep(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            # Not cut short by a close, which waits for it and replaces the file once more.
            if not await asyncio.shield(asyncio.ensure_future(self._replace())):
                await self._clock.sleep(_RETRY_SECONDS)
                self._due.set()

    async def _watch_activity(self) -> None:
        while True:
            await self._clock.sleep(_ACTIVITY_SECONDS)
            if self._newest() > self._activity:
                self._due.set()

    async def _replace(self) -> bool:
        """Replace the file by a snapshot of the table; return whether that worked."""
        async with self._replacing:
            self._late = []
            activity, entries = self._newest(), self._entries
            try:
                await self._put_in_place(await self._snapshot())
            except OSError as error:
                self._complain(error)
                return False
            finally:
                self._late = None
            self._activity = activity
            self._entries -= entries
            if self._failing:
                self._failing = False
                self._log.warning("The route file %s is written again", self._path)
            return True

    async def _snapshot(self) -> Snapshot:
        snapshot = Snapshot(Head(self._number, tuple(self._table.writers.all())))
        routes = self._table.all()
        for start in range(0, len(routes), _SLICE):
            snapshot.add(routes[start : start + _SLICE])
            await asyncio.sleep(0)
        return snapshot

    async def _put_in_place(self, snapshot: Snapshot) -> None:
        new = self._path.with_name(f".{self._path.name}.new")
        handle = await asyncio.to_thread(_write_synced, new, snapshot)
        try:
            _write(handle, b"".join(self._late or ()))
            new.replace(self._path)
        except OSError:
            os.close(handle)
            new.unlink(missing_ok=True)
            raise
        self._let_go()
        self._handle, self._size = handle, os.fstat(handle).st_size

    def _newest(self) -> Timestamp:
        return max((route.last_activity for route in self._table.all()), default=0.0)


def _write_synced(path: Path, snapshot: Snapshot) -> int:
    """Write a new file that only its owner can read; return a descriptor that appends. Raises OSError."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write(handle, snapshot.encode())
        os.fsync(handle)
    except OSError:
        os.close(handle)
        path.unlink(missing_ok=True)
        raise
    return handle


def _write(handle: int, content: bytes) -> None:
    """Write all of it, in one call unless the disk is full; raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
