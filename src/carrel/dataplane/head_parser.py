"""Finds where a head ends and has llhttp judge its form; llhttp is fed with heads and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade

_END = b"\r\n\r\n"
_LAST_OF_LINE = 13


class MalformedError(Exception):
    """What came is not a head, or the beginning of one."""


class _Heads:
    """Counts the heads that a parser completes while it is fed; only one is at a time."""

    complete = 0

    def on_headers_complete(self) -> None:
        self.complete += 1


_heads = _Heads()


class _Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...


class HeadParser:
    """Takes one head after the other from a connection; keeps a parser only while one is incomplete."""

    __slots__ = ("_make", "_parser", "raw")

    def __init__(self, make: Callable[[object], _Parser]) -> None:
        self._make = make
        self._parser: _Parser | None = None
        #: What there is of an incomplete head.
        self.raw = b""

    def take(self, data: bytes) -> tuple[bytes, int] | None:
        """Return what came, and how much of it is a complete head; None when more must come.

        Empty lines before a head (RFC 9112, section 2.2) are one of their own. Raises MalformedError.
        """
        parser, before = self._parser, len(self.raw)
        if parser is None:
            parser = self._make(_heads)
            end = data.find(_END)
        else:
            data = self.raw + data
            end = data.find(_END, max(0, before - 3))
        size = end + 4 if end >= 0 else len(data)
        _heads.complete = 0
        try:
            parser.feed_data(data if size == len(data) and not before else data[before:size])
        except HttpParserUpgrade:
            pass  # that it asks for another protocol is seen by its headers
        except HttpParserError:
            raise MalformedError from None
        if end < 0:
            self._parser, self.raw = parser, data
            if _heads.complete:
                raise MalformedError
            return None
        if before:
            self._parser, self.raw = None, b""
        if data[0] <= _LAST_OF_LINE:
            return self._after_empty_lines(data, size)
        if _heads.complete != 1:
            raise MalformedError
        return data, size

    def _after_empty_lines(self, data: bytes, size: int) -> tuple[bytes, int]:
        head = data[:size].lstrip(b"\r\n")
        if _heads.complete != bool(head):
            raise MalformedError
        if not head:
            # All at once: one after the other would cost the square of their number.
            return data[size:].lstrip(b"\r\n"), 0
        return data[size - len(head) :], len(head)
