"""Bodies in chunks: decoded strictly and framed anew, so that nothing is left that could be read in two ways.

Extensions are dropped (RFC 9112, section 7.1.1). Trailers pass, except for those that would change how a
message is routed, authenticated or stored (RFC 9110, section 6.5.1); one about framing is refused.
"""

from __future__ import annotations

import re

from carrel.dataplane.refusal import RefusedError

_SIZE = rb"([0-9A-Fa-f]{1,15})(?:;[^\x00-\x08\x0a-\x1f\x7f]{0,1024})?\r\n"
_FIRST = re.compile(_SIZE)
_NEXT = re.compile(rb"\r\n" + _SIZE)
#: What may still become a size line.
_BEGUN = rb"(?:[0-9A-Fa-f]{1,15}(?:;[^\x00-\x08\x0a-\x1f\x7f]{0,1024})?\r?)?"
_FIRST_BEGUN = re.compile(_BEGUN)
_NEXT_BEGUN = re.compile(rb"\r|\r\n" + _BEGUN)

#: The last chunk, without trailers.
LAST = b"0\r\n\r\n"
_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
_TRAILERS = re.compile(rb"(?:%b:%b\r\n)*" % (_NAME, _VALUE))
#: What may still become trailers.
_TRAILERS_BEGUN = re.compile(_TRAILERS.pattern + rb"(?:%b(?::%b)?)?\r?" % (_NAME, _VALUE))
_MAX_TRAILERS = 8192
_FRAMING = re.compile(rb"(?:content-length|transfer-encoding):", re.IGNORECASE)
_FORBIDDEN = re.compile(
    rb"(?:content-|transfer-encoding|host|trailer|connection|keep-alive|te|upgrade|proxy-|forwarded|"
    rb"x-forwarded-|authorization|www-authenticate|cookie|set-cookie|cache-control|expires|pragma|age|date|"
    rb"vary|location|retry-after|warning|expect|max-forwards|range|if-|origin|referer|x-csrf|x-xsrf)",
    re.IGNORECASE,
)


class ChunkedBody:
    """One body; feed it until it is complete.

    A malformed one is refused with `status`. What comes out is in chunks if it is `framed`, else bare.
    """

    __slots__ = ("_between", "_framed", "_left", "_max_trailers", "_partial", "_status", "_trailing")

    def __init__(self, max_trailers: int, *, status: int = 400, framed: bool = True) -> None:
        self._max_trailers = min(max_trailers, _MAX_TRAILERS)
        self._status = status
        self._framed = framed
        self._partial = b""
        self._left = 0
        self._between = self._trailing = False

    def feed(self, data: bytes, out: list[bytes]) -> bytes | None:
        """Put the body's next pieces into `out`; return what comes behind it, or None before its end.

        Raises RefusedError when it is malformed.
        """
        if self._partial:
            data = self._partial + data
            self._partial = b""
        at, size = 0, len(data)
        while not self._trailing:
            if at == size:
                return None
            if self._left:
                end = min(at + self._left, size)
                piece = data[at:end]
                out += framed(piece) if self._framed else (piece,)
                self._left -= len(piece)
                self._between = True
                at = end
                continue
            match = (_NEXT if self._between else _FIRST).match(data, at)
            if match is None:
                self._wait(data[at:])
                return None
            at = match.end()
            self._left = int(match[1], 16)
            self._trailing = not self._left
        return self._end(data[at:], out)

    def _wait(self, begun: bytes) -> None:
        if (_NEXT_BEGUN if self._between else _FIRST_BEGUN).fullmatch(begun) is None:
            raise RefusedError(self._status, "a chunk of its body is malformed")
        self._partial = begun

    def _end(self, data: bytes, out: list[bytes]) -> bytes | None:
        if data.startswith(b"\r\n"):
            if self._framed:
                out.append(LAST)
            return data[2:]
        end = data.find(b"\r\n\r\n") + 2
        if (end if end > 1 else len(data)) > self._max_trailers:
            raise RefusedError(431 if self._status == 400 else self._status, "its trailers are too large")
        if end == 1:
            if _TRAILERS_BEGUN.fullmatch(data) is None:
                raise RefusedError(self._status, "a trailer of its body is malformed")
            self._partial = data
            return None
        if _TRAILERS.fullmatch(data, 0, end) is None:
            raise RefusedError(self._status, "a trailer of its body is malformed")
        lines = data[:end].split(b"\r\n")[:-1]
        if any(_FRAMING.match(line) for line in lines):
            raise RefusedError(self._status, "a trailer of its body is about framing")
        if self._framed:
            kept = (line + b"\r\n" for line in lines if _FORBIDDEN.match(line) is None)
            out.append(b"0\r\n%b\r\n" % b"".join(kept))
        return data[end + 2 :]


def framed(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a chunk that holds `piece`, which is not empty."""
    return b"%x\r\n" % len(piece), piece, b"\r\n"
