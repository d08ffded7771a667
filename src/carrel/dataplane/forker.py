"""Has workers forked, by a template that is replaced when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from carrel.dataplane.back_off import BackOff
from carrel.dataplane.template import Template
from carrel.lib.clock import Clock

#: How often a template that is to be gone is looked at, and after how many seconds, before it is killed.
_LOOKS = 100
_LOOK_SECONDS = 0.01


class Forker:
    """Holds the template; `again` starts another one."""

    def __init__(
        self, first: Template, again: Callable[[], Template], log: logging.Logger, clock: Clock
    ) -> None:
        self._template = first
        self._again = again
        self._log = log
        self._clock = clock
        self._present = asyncio.Event()
        self._back_off = BackOff()
        self._since = 0.0
        self._task: asyncio.Task[None] | None = None
        #: There were several: workers of the earlier ones may have become children of this process.
        self.replaced = False

    def start(self) -> None:
        """Mind the template from now on."""
        self._since = self._clock.monotonic()
        self._present.set()
        asyncio.get_running_loop().add_reader(self._template.control, self._lost)

    async def fork(self, slot: int, end: socket.socket) -> None:
        """Have a worker forked, when there is a template; raises OSError when it goes just now."""
        await self._present.wait()
        self._template.fork(slot, end)

    def reload(self) -> None:
        """Let workers to come have the certificates that are in the files now."""
        if self._present.is_set():
            with contextlib.suppress(OSError):
                self._template.reload()

    def retire(self) -> None:
        """Fork no more, and let nobody connect that no worker accepts."""
        if self._task is not None:
            self._task.cancel()
        if self._present.is_set():
            # When it ends from here on, nothing takes its place.
            asyncio.get_running_loop().remove_reader(self._template.control)
            with contextlib.suppress(OSError):
                self._template.retire()

    def kill(self) -> None:
        """End a template that does not do its work; another one takes its place."""
        if self._present.is_set():
            self._template.kill()

    async def close(self) -> None:
        """End the template with its workers, after `retire`; return when it is gone."""
        if self._present.is_set():
            self._present.clear()
            self._template.close()
            await self._end()

    def _lost(self) -> None:
        asyncio.get_running_loop().remove_reader(self._template.control)
        self._present.clear()
        self._template.close()
        self.replaced = True
        pause = self._back_off.after(self._clock.monotonic() - self._since)
        self._log.error("The process that starts workers has ended; another one starts in %g s", pause)
        self._task = asyncio.get_running_loop().create_task(self._replace(pause))

    async def _end(self) -> None:
        for _ in range(_LOOKS):
            if self._template.is_gone():
                return
            await self._clock.sleep(_LOOK_SECONDS)
        self._template.kill()

    async def _replace(self, pause: float) -> None:
        await self._end()
        while True:
            await self._clock.sleep(pause)
            try:
                self._template = self._again()
            except OSError as error:
                pause = self._back_off.after(0.0)
                self._log.error("Nothing can start workers: %s; next try in %g s", error, pause)
            else:
                self.start()
                return
