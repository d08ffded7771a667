"""Bodies that are longer or shorter than said, chunks, trailers, and answers that have no body."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.answers.cases import (
    CHUNKED,
    EVIL,
    FORBIDDEN_TRAILERS,
    OK,
    STATUS,
    Case,
    broken,
    clean,
    doubtful,
    ended,
    last,
    refused,
)
from tests.dataplane.corpus.bodies import BAD_CHUNKS, BAD_TRAILERS, GOOD_CHUNKS
from tests.dataplane.corpus.cases import CHUNKS

NOISE = (b"H", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nConten", b"noise", b"\x00", b"\xff" * 100)
#: Empty lines between two answers are no part of either, and were sent by some old servers.
GAPS = (b"\r\n", b"\n", b"\r", b"\r\n\r\n")
#: A parser of requests may take these for the end of the connection, so that what follows is lost.
FRAMING_TRAILERS = (b"content-length", b"transfer-encoding", b"connection", b"upgrade")
#: h11 minds the form of these even in a trailer.
FRAMING_VALUES = {b"transfer-encoding": (b"chunked",), b"content-length": (b"4", b"0")}
BODILESS = (b"204 No Content", b"304 Not Modified")


def cases() -> Iterator[Case]:
    """Return the cases about what follows a head."""
    yield from _sizes()
    yield from _chunks()
    yield from _trailers()
    yield from _bodiless()
    yield from _heads()
    yield from _behind()


def _sizes() -> Iterator[Case]:
    for length in (3, 100, 10**9):
        yield broken("too short", STATUS + b"Content-Length: %d\r\n\r\nok" % length)
    yield broken("nothing of it", STATUS + b"Content-Length: 5\r\n\r\n")
    yield broken("short and closed", STATUS + b"Content-Length: 5\r\nConnection: close\r\n\r\nok")
    yield broken("short and old", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nok")
    for length in (0, 1):
        body = b"ok"[:length]
        yield last("too long", STATUS + b"Content-Length: %d\r\n\r\nok" % length, body)
    yield last("too long and closed", STATUS + b"Content-Length: 2\r\nConnection: close\r\n\r\nok" + EVIL)
    hidden = STATUS + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL
    yield clean("an answer as a body", hidden, EVIL)
    yield clean("an answer as a chunk", CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVIL), EVIL), EVIL)
    yield broken("an answer in a short body", hidden[:-1])


def _chunks() -> Iterator[Case]:
    for chunks in BAD_CHUNKS:
        yield broken("chunks", CHUNKED + chunks)
    for chunks in GOOD_CHUNKS[1:]:
        yield clean("good chunks", CHUNKED + chunks, b"abc")
    whole = b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n"
    for size in range(len(whole)):
        yield broken("cut chunks", CHUNKED + whole[:size])
    yield clean("zeros before the size", CHUNKED + b"0" * 10 + b"3\r\nabc\r\n0\r\n\r\n", b"abc")
    yield doubtful("many zeros before it", CHUNKED + b"0" * 18 + b"3\r\nabc\r\n0\r\n\r\n", b"abc")
    for space in (b" ", b"\t", b"  "):
        yield doubtful("space behind the size", CHUNKED + b"3" + space + b"\r\nabc\r\n0\r\n\r\n", b"abc")
        yield doubtful("space before ;", CHUNKED + b"3" + space + b";a=b\r\nabc\r\n0\r\n\r\n", b"abc")
    yield doubtful("a long extension", CHUNKED + b"3;" + b"a" * 20_000 + b"\r\nabc\r\n0\r\n\r\n", b"abc")
    yield broken("an extension without an end", CHUNKED + b"3;" + b"a" * 2_000_000)
    yield broken("a size without an end", CHUNKED + b"0" * 2_000_000)
    yield clean("a chunk a byte", CHUNKED + b"1\r\na\r\n" * 1000 + b"0\r\n\r\n", b"a" * 1000)
    yield last("chunks, then more chunks", CHUNKED + CHUNKS + CHUNKS, b"abc")


def _trailers() -> Iterator[Case]:
    for line in BAD_TRAILERS:
        yield broken("trailer", CHUNKED + b"3\r\nabc\r\n0\r\n" + line + b"\r\n")
    for name in sorted(FORBIDDEN_TRAILERS):
        for value in FRAMING_VALUES.get(name, (b"4", b"close")):
            raw = CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n" + name.title() + b": " + value + b"\r\n\r\n"
            kind = doubtful if name in FRAMING_TRAILERS else clean
            yield kind("a forbidden trailer", raw, b"abc")
    announced = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X, Content-Length\r\n\r\n"
    yield clean("announced", announced + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", b"abc")
    yield doubtful("announced framing", announced + b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n", b"abc")
    yield doubtful("many trailers", CHUNKED + b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", b"abc")
    yield broken("trailers without an end", CHUNKED + b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 400_000)
    yield broken("a trailer without an end", CHUNKED + b"3\r\nabc\r\n0\r\nX: " + b"y" * 2_000_000)
    yield last("a trailer, then another", CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n" + EVIL, b"abc")


def _bodiless() -> Iterator[Case]:
    for line in BODILESS:
        head, status = b"HTTP/1.1 " + line + b"\r\n", int(line[:3])
        yield clean("no body", head + b"\r\n", b"", status)
        yield last("no body, then one", head + b"\r\nok", b"", status)
        yield last("no body, then an answer", head + b"\r\n" + EVIL, b"", status)
        yield last("a body all the same", head + END_2 + EVIL, b"", status)
        yield last("chunks all the same", head + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, b"", status)
        for bad in (
            b"Content-Length: -1",
            b"Content-Length: 1\r\nContent-Length: 2",
            b"Transfer-Encoding: x",
        ):
            yield refused("no body, bad framing", head + bad + b"\r\n\r\n")
    yield clean("304 tells a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n", b"", 304)
    yield clean("205 with nothing", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", b"", 205)
    yield doubtful("205 with a body", b"HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok", b"ok", 205)
    yield ended("205 until the end", b"HTTP/1.1 205 Reset\r\n\r\n", b"", 205)


END_2 = b"Content-Length: 2\r\n\r\nok"


def _heads() -> Iterator[Case]:
    yield clean("HEAD", STATUS + b"Content-Length: 2\r\n\r\n", b"", method="HEAD")
    yield clean("HEAD of chunks", CHUNKED, b"", method="HEAD")
    yield last("HEAD with a body", OK, b"", method="HEAD")
    yield last("HEAD with chunks", CHUNKED + CHUNKS, b"", method="HEAD")
    yield last("HEAD with another answer", STATUS + b"Content-Length: 2\r\n\r\n" + EVIL, b"", method="HEAD")
    yield last("HEAD with noise", STATUS + b"Content-Length: 2\r\n\r\n\x00", b"", method="HEAD")
    yield last("HEAD that closes", STATUS + b"Connection: close\r\n\r\n", b"", method="HEAD")
    both = b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield refused("HEAD with both", STATUS + both, method="HEAD")
    yield refused(
        "HEAD with two lengths", STATUS + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", method="HEAD"
    )


def _behind() -> Iterator[Case]:
    good = ((OK, b"ok"), (CHUNKED + CHUNKS, b"abc"), (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""))
    for raw, body in good:
        for noise in NOISE:
            yield last("noise behind", raw + noise, body)
        for gap in GAPS:
            yield doubtful("an empty line behind", raw + gap, body)
            yield last("an empty line and an answer", raw + gap + EVIL, body)
        yield last("one behind", raw + EVIL, body)
        yield last("two behind", raw + EVIL + EVIL, body)
        yield last("an interim one behind", raw + b"HTTP/1.1 100 Continue\r\n\r\n", body)
        yield last("an interim one and another behind", raw + b"HTTP/1.1 103 Early\r\n\r\n" + EVIL, body)
        upgrade = b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nevil"
        yield doubtful("an upgrade behind", raw + upgrade, body)
        yield last("a request behind", raw + b"GET /raw/evil HTTP/1.1\r\nHost: h\r\n\r\n", body)
