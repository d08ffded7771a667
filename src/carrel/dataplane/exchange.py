"""What the two connections that carry a request know of each other."""

from __future__ import annotations

import asyncio
from typing import Protocol

from carrel.dataplane.request import Request
from carrel.dataplane.targets import Address


class Downstream(Protocol):
    """The client's connection, as the upstream one sees it."""

    transport: asyncio.Transport
    slow: bool

    def accepted(self) -> None:
        """The request's head was sent: its body may flow."""

    def hold_body(self) -> None:
        """The upstream takes no more for now."""

    def release_body(self) -> None:
        """The upstream takes more again."""

    def answered(self, request: Request, status: int, close: bool) -> None:
        """The answer is complete."""

    def upgraded(self, request: Request, upstream: asyncio.Transport, first: bytes) -> None:
        """The server agreed to another protocol; `first` is what it sent already, head included."""

    def broken(self, request: Request, status: int) -> None:
        """No usable answer comes; `status` is for an answer of the proxy's own, if nothing was sent yet."""

    def cut(self, request: Request, reset: bool) -> None:
        """The answer ends in its middle; with `reset`, closing alone would make it look complete."""

    def retry(self, request: Request, gone: Address | None = None) -> None:
        """Nothing came before the connection was closed: send the request once more, on a new one.

        `gone` is an address that took the request; otherwise it was a kept connection that had been closed.
        """
