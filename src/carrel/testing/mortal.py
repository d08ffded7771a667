"""Tasks that can end the way a process ends by kill -9: between two steps, without any cleaning up.

Cancelling would run every `finally` and `except` block, which is what a dead process does not do.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from carrel.domain.events import Event
from carrel.storage.base import Ears, Store, Transaction

_STUBBORN = 100
_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


class Dead(BaseException):
    """The hub that wanted this was killed."""


class Life:
    """The tasks of one hub process; those that they start belong to it too."""

    def __init__(self) -> None:
        self.over = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._graves: list[Coroutine[Any, Any, Any]] = []

    def install(self) -> None:
        """Make tasks mortal on the running loop; only those that belong to a life are changed."""
        asyncio.get_running_loop().set_task_factory(_make_task)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a task that belongs to this life."""
        token = _LIFE.set(self)
        try:
            return asyncio.create_task(work, name=name)
        finally:
            _LIFE.reset(token)

    def kill(self) -> None:
        """End all tasks where they stand; one that runs right now ends when it next waits."""
        self.over = True
        for task in self._tasks:
            task.cancel()

    async def pause_if_over(self) -> None:
        """Go no further in a life that has ended; raises Dead for callers that live on."""
        if self.over:
            if _LIFE.get() is self:
                await asyncio.get_running_loop().create_future()
            raise Dead

    async def bury(self) -> None:
        """Let the dead tasks' blocks unwind, now that nothing they do matters."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for work in self._graves:
            with suppress(asyncio.CancelledError, StopIteration, Dead, Exception):
                for _ in range(_STUBBORN):
                    # Whatever it waits for while it unwinds will not come.
                    work.throw(asyncio.CancelledError())
        self._graves.clear()

    def adopt(self, task: asyncio.Task[Any], work: Coroutine[Any, Any, Any]) -> None:
        """Count a task among those that end with this life."""

        def leave(done: asyncio.Task[Any]) -> None:
            self._tasks.discard(done)
            if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                work.close()

        self._tasks.add(task)
        task.add_done_callback(leave)

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` for as long as this life lasts; a task of a life that is over is cancelled."""
        return await _Steps(self, work)

    def inter(self, work: Coroutine[Any, Any, Any]) -> None:
        """Keep what will never go on, so that it is not collected, which would unwind it."""
        self._graves.append(work)


class _Steps:
    """Hands the steps of a coroutine on, until the life is over."""

    def __init__(self, life: Life, work: Coroutine[Any, Any, Any]) -> None:
        self._life = life
        self._work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            self._stop_if_over()
            try:
                waiting = self._work.send(value) if error is None else self._work.throw(error)
            except StopIteration as result:
                return result.value
            self._stop_if_over()
            value, error = None, None
            try:
                value = yield waiting
            except BaseException as thrown:
                error = thrown

    def _stop_if_over(self) -> None:
        if self._life.over:
            self._life.inter(self._work)
            raise asyncio.CancelledError


def _make_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> Any:
    life = _LIFE.get()
    if life is None:
        return asyncio.Task(work, loop=loop, **options)
    task = asyncio.Task(life.run(work), loop=loop, **options)
    life.adopt(task, work)
    return task


class MortalStore:
    """A store as one hub process sees it: after the kill it neither reads nor writes.

    The process dies right after the commit whose number is in `dies_after`.
    """

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life
        self.commits = 0
        self.dies_after: int | None = None

    @property
    def single_hub(self) -> bool:
        """See `Store`."""
        return self._store.single_hub

    async def open(self, *, claim: bool = True) -> None:
        """Do nothing: the store is open already."""

    async def close(self) -> None:
        """Do nothing: whoever opened the store closes it."""

    async def checkpoint(self) -> None:
        """See `Store`."""
        await self._store.checkpoint()

    async def listen(self, ears: Ears) -> None:
        """See `Store`."""
        await self._store.listen(ears)

    async def tell(self, events: Sequence[Event]) -> None:
        """See `Store`."""
        await self._life.pause_if_over()
        await self._store.tell(events)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """See `Store`."""
        await self._life.pause_if_over()
        async with self._store.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self, *, durable: bool = False) -> AsyncIterator[Transaction]:
        """See `Store`."""
        await self._life.pause_if_over()
        async with self._store.write(durable=durable) as tx:
            yield tx
        self.commits += 1
        if self.commits == self.dies_after:
            self._life.kill()
            await self._life.pause_if_over()
