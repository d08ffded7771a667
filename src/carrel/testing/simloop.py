"""An event loop for simulations: virtual time, seeded order, and processes that die as by kill -9.

    loop = SimLoop(seed=7)
    with sealed(loop, seed=7):
        loop.run_until_complete(main())

One seed gives one run, in every process and under every PYTHONHASHSEED. Time jumps to the next timer when
nothing else can go on. Which of several ready callbacks goes first is drawn from the seed: asyncio keeps
their order, but locks, queues, task groups and time-outs keep what they promise without it.

Code of one simulated process runs under an `Owner`, which travels in the context of each callback. `kill`
ends an owner between two of its steps: nothing of it runs again, no `finally`, no `except`.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
import os
import random
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

_STUBBORN = 100
#: Whose clock may be asked although time is virtual: they only note or measure.
_TIMEKEEPERS = ("asyncio", "logging", "sqlalchemy", "warnings")
_OWNER: contextvars.ContextVar[Owner | None] = contextvars.ContextVar("owner", default=None)


class SimEscape(BaseException):
    """Code under simulation wanted something real: a thread, a socket, a process, the time."""


class SimStuck(BaseException):
    """Nothing can go on: no callback is ready and no timer set (deadlock), or it never ends (livelock)."""


class _Buried(BaseException):
    """Thrown at what never went on; unlike a cancellation, nobody catches it to go on."""


def _refuse(*_args: Any, **_kwargs: Any) -> Any:
    raise SimEscape("input, output or a thread was asked of the loop")


class Owner:
    """One simulated process: everything that dies together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.steps = 0
        self.dies_at: int | None = None
        """The number of the step that it does not live to do."""
        self.at_death: list[Callable[[], None]] = []
        """Called when it is killed: what the kernel does for a process that is gone."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.held: list[asyncio.Handle] = []
        """Steps that came while it was paused or dead; dropping one would run its `finally` blocks."""
        self.paused_until = 0.0


class SimFuture(asyncio.Future[Any]):
    """A future whose place in a set follows from the order of creation instead of its address."""

    def __init__(self, *, loop: SimLoop) -> None:
        self._number = loop.next_number()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set follows from the order of creation."""

    def __init__(self, work: Coroutine[Any, Any, Any], *, loop: SimLoop, **options: Any) -> None:
        self._number = loop.next_number()
        super().__init__(work, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """The loop. `permuted` off keeps asyncio's own order; `max_steps` bounds a run that spins."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _stopping: bool

    def __init__(self, seed: object, *, permuted: bool = True, max_steps: int = 1_000_000) -> None:
        super().__init__()
        self.steps = 0
        self.errors: list[str] = []
        """What nobody caught; a run that leaves some has failed."""
        self._time = 0.0
        self._numbers = 0
        self._choose = random.Random(f"{seed}:order").random  # noqa: S311 - repeatable is the point
        self._permuted = permuted
        self._max_steps = max_steps
        self.outside_context = contextvars.Context()
        """What belongs to no owner runs in it."""
        self._burying = False
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]
        self.set_exception_handler(self._note_error)

    # What asyncio asks of a loop

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._time

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return SimFuture(loop=self)

    def _run_once(self) -> None:
        ready = self._ready
        while not self._stopping:
            self._wake_timers()
            if self._permuted and len(ready) > 1:
                ready.rotate(-int(self._choose() * len(ready)))
            handle = ready.popleft()
            if handle.cancelled():
                continue
            owner: Owner | None = handle._context.get(_OWNER)  # type: ignore[attr-defined]
            if owner is None or self._may_step(owner, handle):
                self.steps += 1
                if self.steps > self._max_steps:
                    raise SimStuck(f"{self.steps} steps at {self._time:.3f} s: something is spinning")
                handle._run()

    def _wake_timers(self) -> None:
        """Make ready what is due; when nothing is ready, let time pass until something is."""
        ready, scheduled = self._ready, self._scheduled
        while True:
            while scheduled and (scheduled[0].cancelled() or scheduled[0].when() <= self._time):
                timer = heapq.heappop(scheduled)
                timer._scheduled = False  # type: ignore[attr-defined]
                if not timer.cancelled():
                    ready.append(timer)
            if ready:
                return
            if not scheduled:
                raise SimStuck(f"Everybody waits for ever at {self._time:.3f} s")
            self._time = scheduled[0].when()

    def _may_step(self, owner: Owner, handle: asyncio.Handle) -> bool:
        if not owner.dead and owner.paused_until <= self._time:
            owner.steps += 1
            if owner.steps != owner.dies_at:
                return True
            self.kill(owner)
        owner.held.append(handle)
        return False

    def _process_events(self, event_list: Any) -> None:
        """There is no selector."""

    def _write_to_self(self) -> None:
        raise SimEscape("a callback from another thread")

    def _asyncgen_finalizer_hook(self, generator: AsyncGenerator[Any, Any]) -> None:
        # asyncio's own comes in as from another thread.
        self._asyncgens.discard(generator)  # type: ignore[attr-defined]
        if not self._burying and not self.is_closed():
            self.call_soon(self.create_task, generator.aclose())

    # Owners

    def run_as(self, owner: Owner, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that belongs to `owner`, as everything does that it starts."""
        context = contextvars.Context()
        context.run(_OWNER.set, owner)
        return self.create_task(work, context=context)

    def outside(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call back after `delay` seconds on behalf of nobody: no death prevents it."""
        return self.call_later(delay, callback, *args, context=self.outside_context)

    def kill(self, owner: Owner) -> None:
        """End a process where it stands; one that runs right now must stop by itself (`stand_still`)."""
        if owner.dead:
            return
        owner.dead = True
        for clean_up in owner.at_death:
            clean_up()

    def pause(self, owner: Owner, seconds: float) -> None:
        """Let a process do nothing for a while, as one that is stopped, swapped out or blocked."""
        owner.paused_until = self._time + seconds
        self.outside(seconds, self._resume, owner)

    def _resume(self, owner: Owner) -> None:
        if not owner.dead and owner.paused_until <= self._time:
            held, owner.held = owner.held, []
            self._ready.extend(held)

    async def stand_still(self) -> None:
        """Never return: what a process does that was killed in the middle of a step."""
        await self.create_future()

    def bury(self, owners: Sequence[Owner]) -> None:
        """End a run for good: let what is left of the processes unwind, where nothing it does matters.

        Call it after the verdict, with the loop stopped and every seam of the owners refusing service.
        """
        with warnings.catch_warnings():
            # What was handed to a task that never began is not awaited by anybody.
            warnings.simplefilter("ignore", RuntimeWarning)
            # Who asks for the loop is given this one; else asyncio makes a real one.
            running = asyncio._get_running_loop()
            asyncio._set_running_loop(self)
            try:
                self._bury(owners)
            finally:
                asyncio._set_running_loop(running)

    def _bury(self, owners: Sequence[Owner]) -> None:
        self._burying = True
        for owner in owners:
            self.kill(owner)
            for task in owner.tasks:
                if not task.done():
                    _unwind(task.get_coro())
            owner.tasks.clear()
            owner.held.clear()
            owner.at_death.clear()
        self._ready.clear()
        self._scheduled.clear()

    # Identity

    def next_number(self) -> int:
        """Return how many futures and tasks there were so far."""
        self._numbers += 1
        return self._numbers

    def _make_task(self, loop: SimLoop, work: Coroutine[Any, Any, Any], **options: Any) -> SimTask:
        if self._burying:
            work.close()
            raise _Buried
        context = options.get("context")
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        task = SimTask(work, loop=loop, **options)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        if owner is not None:
            owner.tasks.append(task)
        return task

    def _note_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    # What a simulation has no use for

    call_soon_threadsafe: Any = _refuse
    run_in_executor: Any = _refuse
    add_reader: Any = _refuse
    add_writer: Any = _refuse
    add_signal_handler: Any = _refuse
    getaddrinfo: Any = _refuse
    create_connection: Any = _refuse
    create_server: Any = _refuse
    create_datagram_endpoint: Any = _refuse
    create_unix_connection: Any = _refuse
    create_unix_server: Any = _refuse
    subprocess_exec: Any = _refuse
    subprocess_shell: Any = _refuse


def current_owner() -> Owner | None:
    """Return the simulated process that the calling code belongs to."""
    return _OWNER.get()


@contextmanager
def sealed(loop: SimLoop, seed: object) -> Iterator[None]:
    """Take randomness from `seed`, forbid what is real and keep the garbage collector still.

    What was forbidden and asked for is also in `loop.errors`: SimEscape passes every `except Exception`, but
    not everything looks at what it catches. `datetime.now()` cannot be caught here; ban it by a linter.
    """
    state = random.getstate()
    source = random.Random(f"{seed}:entropy")  # noqa: S311 - repeatable is the point
    collecting = gc.isenabled()
    with ExitStack() as patches:
        for place, name in _FORBIDDEN:
            patches.enter_context(
                mock.patch.object(place, name, _forbidden(loop, f"{place.__name__}.{name}"))
            )
        for name in (
            "time",
            "time_ns",
            "monotonic",
            "monotonic_ns",
            "perf_counter",
            "perf_counter_ns",
            "sleep",
        ):
            patches.enter_context(mock.patch.object(time, name, _no_time(loop, name)))
        for place, name in ((os, "urandom"), (random, "_urandom")):
            patches.enter_context(mock.patch.object(place, name, source.randbytes))
        random.seed(f"{seed}:random")
        gc.disable()
        try:
            yield
        finally:
            random.setstate(state)
            if collecting:
                gc.enable()


_FORBIDDEN: tuple[tuple[Any, str], ...] = (
    (threading.Thread, "start"),
    (threading, "_start_new_thread"),
    (sys.modules["_thread"], "start_new_thread"),
    (socket.socket, "__init__"),
    (subprocess.Popen, "__init__"),
    (os, "fork"),
    (os, "posix_spawn"),
    (os, "system"),
)


def _forbidden(loop: SimLoop, name: str) -> Callable[..., Any]:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        loop.errors.append(f"{name} was called")
        raise SimEscape(name)

    return refuse


def _no_time(loop: SimLoop, name: str) -> Callable[..., Any]:
    def refuse(*_args: Any) -> Any:
        caller = str(sys._getframe(1).f_globals.get("__name__", ""))
        if caller.startswith(_TIMEKEEPERS) and name != "sleep":
            return int(loop.time() * 1e9) if name.endswith("_ns") else loop.time()
        loop.errors.append(f"{caller} called time.{name}")
        raise SimEscape(f"time.{name} called by {caller}")

    return refuse


def _unwind(work: Any) -> None:
    """Throw a coroutine out of whatever it waits for, as often as it waits again."""
    try:
        for _ in range(_STUBBORN):
            work.throw(_Buried())
    except BaseException:  # noqa: S110 - it is over, which is all that was wanted
        pass
