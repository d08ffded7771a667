"""What forwards: this process alone, or a fleet of workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from carrel.dataplane.certificates import Certificates
from carrel.dataplane.control_server import Answer, Call
from carrel.dataplane.engine import Engine
from carrel.dataplane.listeners import Listener
from carrel.dataplane.load import Load
from carrel.dataplane.metrics import Metrics
from carrel.dataplane.replies import Reply
from carrel.dataplane.serving import forwarding


class Front(Protocol):
    """Serves the public by a table of routes, and notes in it when they are used."""

    @property
    def metrics(self) -> Metrics:
        """Return where everything is counted."""

    @property
    def workers(self) -> tuple[int, ...]:
        """Return the ids of the processes that forward."""

    @property
    def load(self) -> Load:
        """Return how much is open."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Forward; at the end, finish what is under way."""

    async def complete(self) -> None:
        """Load what the first requests need not wait for."""

    def reload(self) -> None:
        """Use the certificates that were read again."""

    async def refresh(self) -> None:
        """Return when the table and the metrics have what has happened until now."""

    def answering(self, answer: Callable[[Call], Reply]) -> Answer:
        """Return what answers calls that read or change the table."""


class Alone:
    """Forwards in this process."""

    def __init__(self, engine: Engine, listener: Listener, certificates: Certificates) -> None:
        self._engine = engine
        self._listener = listener
        self._certificates = certificates

    @property
    def metrics(self) -> Metrics:
        return self._engine.metrics

    @property
    def workers(self) -> tuple[int, ...]:
        return (os.getpid(),)

    @property
    def load(self) -> Load:
        return self._engine.load

    def serving(self) -> AbstractAsyncContextManager[None]:
        return forwarding(self._engine, self._listener)

    async def complete(self) -> None:
        await self._certificates.complete()

    def reload(self) -> None:
        self._engine.trust(self._certificates.client)

    async def refresh(self) -> None:
        return

    def answering(self, answer: Callable[[Call], Reply]) -> Answer:
        return answer
