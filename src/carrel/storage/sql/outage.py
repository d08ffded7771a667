"""How long those who need the database wait for it to come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from carrel.lib.clock import Clock
from carrel.storage.base import StorageUnavailable

T = TypeVar("T")

#: Seconds after the first refusal in which everybody waits: a restart, or the move to another machine.
_PATIENCE = 5.0
#: Afterwards it is asked that often, and all others are refused without asking.
_LOOK_AGAIN = 0.5
_PAUSE = 0.1


class Outage:
    """Whether the server has refused connections lately, shared by all that ask for one."""

    def __init__(self, clock: Clock, jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._jitter = jitter
        self._since: float | None = None
        self._asked = 0.0
        self._error = StorageUnavailable("The database does not answer.")

    async def sit_out(self, connect: Callable[[], Awaitable[T]]) -> T:
        """Return what `connect` returns, trying again while a short outage may last.

        Raises StorageUnavailable, at once when the outage has lasted for longer than that.
        """
        while True:
            lasting = self._since is not None and self._clock.monotonic() - self._since >= _PATIENCE
            if lasting and self._clock.monotonic() - self._asked < _LOOK_AGAIN:
                raise StorageUnavailable(str(self._error))
            self._asked = self._clock.monotonic()
            try:
                found = await connect()
            except StorageUnavailable as error:
                self._error = error
                if self._since is None:
                    self._since = self._clock.monotonic()
                if lasting:
                    raise
            else:
                self._since = None
                return found
            await self._clock.sleep(_PAUSE * (0.5 + self._jitter()))
