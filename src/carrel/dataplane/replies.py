"""Answers that the data plane gives itself."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.dataplane.headers import reason_of


@dataclass(frozen=True, slots=True)
class Reply:
    """A small answer with a whole body."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, head_only: bool = False, close: bool = False, keep_alive: bool = False) -> bytes:
        """Return the bytes to send; `keep_alive` says so to an HTTP/1.0 client."""
        lines = [f"HTTP/1.1 {self.status} {reason_of(self.status).decode()}"]
        if self.status != 204:
            lines.append(f"Content-Length: {len(self.body)}")
        if self.body:
            lines.append(f"Content-Type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if close or keep_alive:
            lines.append("Connection: close" if close else "Connection: keep-alive")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        return head if head_only else head + self.body
