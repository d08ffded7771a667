"""Keeping what a driver knows of a start that is under way, though it does not call `save_state` itself.

Drivers that were written for JupyterHub do not: a hub that is killed while one of them waits in a queue would
leave a job behind that nobody knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from carrel.lib.clock import Clock
from carrel.lifecycle.lease import LeaseLost
from carrel.spawners.base import Spawner

_EVERY = 1.0
_PATIENCE = 1.0
_log = logging.getLogger("carrel.lifecycle")


@asynccontextmanager
async def kept(driver: Spawner, clock: Clock, look: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Hand the driver's `state_saver` its state whenever that has changed, while the block runs.

    What else there is to see each second is for `look` to see.
    """
    keeper = _Keeper(driver, clock, look)
    task = asyncio.create_task(keeper.run(), name="checkpoints of a start")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,), timeout=_PATIENCE)


class _Keeper:
    def __init__(self, driver: Spawner, clock: Clock, look: Callable[[], Awaitable[None]]) -> None:
        self._driver = driver
        self._clock = clock
        self._look = look
        self._known = _state_of(driver)
        self._save = driver.state_saver
        driver.state_saver = self._note

    async def _note(self, state: Mapping[str, Any]) -> None:
        self._known = dict(state)
        if self._save is not None:
            try:
                await self._save(state)
            except BaseException:
                self._known = None
                raise

    async def run(self) -> None:
        """Look every second until cancelled, or until the start is somebody else's."""
        while True:
            await self._clock.sleep(_EVERY)
            try:
                state = _state_of(self._driver)
                if state is not None and state != self._known:
                    await self._note(state)
                await self._look()
            except LeaseLost:
                return
            except Exception:
                # The start goes on, maybe for days, and so does the watch over it.
                _log.exception("A start of %s cannot be looked at; trying again", self._driver._log_name)


def _state_of(driver: Spawner) -> dict[str, Any] | None:
    """Return a driver's state, None when it cannot say: at the end of the start that is logged."""
    try:
        state = dict(driver.get_state())
        msgspec.json.encode(state)
    except Exception:
        return None
    return state
