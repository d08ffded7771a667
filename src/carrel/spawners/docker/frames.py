"""The engine's stream of what a container writes: frames, each with a head of eight bytes."""

from __future__ import annotations

_HEAD = 8


class Frames:
    """Takes the heads out of a stream that comes in pieces."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        """How much of the present frame is yet to come, in bytes."""

    def feed(self, data: bytes) -> bytes:
        """Return what the container wrote in the next piece of the stream."""
        found = bytearray()
        while data:
            if self._left:
                found += data[: self._left]
                data, self._left = data[self._left :], max(0, self._left - len(data))
                continue
            missing = _HEAD - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) == _HEAD:
                self._left, self._head = int.from_bytes(self._head[4:], "big"), b""
        return bytes(found)
