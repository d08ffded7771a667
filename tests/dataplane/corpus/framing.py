"""Where a body ends: Content-Length and Transfer-Encoding as two parsers read them differently."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.corpus.cases import CHUNKS, GET, HIDDEN, POST, Call, Case, ending, refused, served

BAD_ENCODINGS = (
    b"xchunked|chunkedx|chunke|chun ked|chunked chunked|chunked-|chunked, identity|identity, chunked|identity"
    b"|gzip, chunked|chunked, gzip|deflate|chunked, chunked|,chunked|chunked,|chunked;|chunked;q=1"
    b"|chunked;a=b|\x0bchunked|\x0cchunked|chunked\x0b|chunked\x0c|\x00chunked|chunked\x00|\x1fchunked"
    b"|\x7fchunked|\xa0chunked|chunked\xa0|\xffchunked|chun\xe2\x84\xaaed|\"chunked\"|'chunked'|(x)chunked|0"
    b"||*|chunked\r\n\tx|\r\n chunked|\r\n\tchunked|\n chunked|\rchunked|chunked\r"
).split(b"|")
BAD_ENCODING_LINES = (
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b"Transfer-Encoding\x0b: chunked",
    b"Transfer-Encoding\x00: chunked",
    b"Transfer-Encoding\r\n: chunked",
    b"Transfer-Encoding\xff: chunked",
    b"Transfer-Encoding chunked",
    b"\x00Transfer-Encoding: chunked",
    b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked",
    b"Transfer Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nX: y\r\ntransfer-encoding: cow",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"X: y\r\r\nTransfer-Encoding: chunked",
    b"X: y\x00Transfer-Encoding: chunked",
    b"X:\nTransfer-Encoding: chunked",
)
GOOD_ENCODING_LINES = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding:chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: \t chunked  ",
    b"transfer-encoding: CHUNKED",
    b"TRANSFER-ENCODING: Chunked",
)
#: Lines that look like framing and are none: the length alone counts.
PLAIN_LINES = (
    b"Transfer_Encoding: chunked",
    b"TransferEncoding: chunked",
    b"X-Transfer-Encoding: chunked",
    b"Transfer-Encodin: chunked",
    b"Content-Encoding: chunked",
    b"TE: chunked",
    b"TE: trailers, chunked",
    b"Trailer: Content-Length",
    b"Content_Length: 50",
    b"X-Content-Length: 50",
    b"Content-Lengt: 50",
    b"Connection: Content-Length",
    b"Connection: content-length, Transfer-Encoding",
    b"Connection: Host, X-Forwarded-For",
    b"Connection: keep-alive, Content-Type, Expect",
    b"Keep-Alive: timeout=0",
    b"Max-Forwards: 0",
    b"X-HTTP-Method-Override: CONNECT",
    b"X-Original-URL: /user/u/MARK.hidden",
)
BAD_LENGTHS = (
    b"3, 3|3,3|3, 4|3,|,3|+3|-3|-0|+0|0x3|0X3|0b11|0o3|3 3|3\t3||3\x00|\x003|3\x0b|\x0b3|3\x0c|3a|a|3.0|3.|.3"
    b"|3e0|3_0|_3|3_|99999999999999999999|18446744073709551616|18446744073709551619|18446744073709551615"
    b"|9223372036854775811|00000000000000000000000000000003|3;|3;a=b|\"3\"|'3'|\xb3|\xd9\xa3|\xef\xbc\x93|\xff3"
    b"|NaN|inf|null|three|\r\n 3|\r\n\t3|\n 3|3\r\n 4|3\r"
).split(b"|")
BAD_LENGTH_LINES = (
    b"Content-Length: 3\r\nContent-Length: 3",
    b"Content-Length: 3\r\nContent-Length: 0",
    b"Content-Length: 0\r\nContent-Length: 3",
    b"Content-Length: 3\r\ncontent-length: 3",
    b"Content-Length: 3\r\nX: y\r\nCONTENT-LENGTH: 3",
    b"Content-Length: 3\r\nContent-Length:",
    b"Content-Length : 3",
    b"Content-Length\t: 3",
    b"Content-Length\x00: 3",
    b"Content-Length\r\n: 3",
    b" Content-Length: 3",
    b"Content Length: 3",
    b"Content-Length 3",
    b"X: y\nContent-Length: 3",
    b"X: y\rContent-Length: 3",
)
GOOD_LENGTHS = (b"3", b"003", b" 3", b"\t3", b"3 ", b"3\t", b"  3  ")


def cases() -> Iterator[Case]:
    """Return the cases about the two framing headers."""
    yield from _encodings()
    yield from _lengths()
    yield from _bodies()


def _encodings() -> Iterator[Case]:
    bad = [b"Transfer-Encoding: " + value for value in BAD_ENCODINGS] + list(BAD_ENCODING_LINES)
    for line in bad:
        yield refused("encoding", POST + line + b"\r\n\r\n" + CHUNKS)
        yield refused("length, encoding", POST + b"Content-Length: 13\r\n" + line + b"\r\n\r\n" + CHUNKS)
        yield refused("encoding, length", POST + line + b"\r\nContent-Length: 13\r\n\r\n" + CHUNKS)
    for line in GOOD_ENCODING_LINES:
        yield served("good encoding", POST + line + b"\r\n\r\n" + CHUNKS, Call("first", b"abc", "POST"))
        yield refused("both", POST + line + b"\r\nContent-Length: 13\r\n\r\n" + CHUNKS)
        yield refused("both, turned", POST + b"Content-Length: 5\r\n" + line + b"\r\n\r\n0\r\n\r\n" + HIDDEN)
        yield refused("both in a GET", GET + b"Content-Length: 0\r\n" + line + b"\r\n\r\n" + CHUNKS)
        old = POST.replace(b"/1.1", b"/1.0")
        yield refused("encoding in 1.0", old + line + b"\r\n\r\n" + CHUNKS)
    for line in PLAIN_LINES:
        raw = POST + line + b"\r\nContent-Length: 13\r\n\r\n" + CHUNKS
        yield served("plain line", raw, Call("first", CHUNKS, "POST"))


def _lengths() -> Iterator[Case]:
    lines = [b"Content-Length: " + value for value in BAD_LENGTHS] + list(BAD_LENGTH_LINES)
    for line in lines:
        yield refused("length", POST + line + b"\r\n\r\nabc")
        yield refused("length in a GET", GET + line + b"\r\n\r\nabc")
    for value in GOOD_LENGTHS:
        raw = POST + b"Content-Length: " + value + b"\r\n\r\nabc"
        yield served("good length", raw, Call("first", b"abc", "POST"))


def _bodies() -> Iterator[Case]:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "REPORT"):
        head = b"%b /user/u/MARK.first HTTP/1.1\r\nHost: h\r\n" % method.encode()
        length = b"Content-Length: %LENGTH%\r\n\r\n" + HIDDEN
        yield served("a request as a body", head + length, Call("first", HIDDEN, method))
        chunk = b"Transfer-Encoding: chunked\r\n\r\n%SIZE%\r\n" + HIDDEN + b"\r\n0\r\n\r\n"
        yield served("a request as a chunk", head + chunk, Call("first", HIDDEN, method))
    nowhere = b"POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: %LENGTH%\r\n\r\n" + HIDDEN
    yield ending("a body that goes nowhere", nowhere)
    health = nowhere.replace(b"/nowhere", b"/_chp_healthz")
    yield ending("a body for the proxy", health)
    cut = POST + b"Content-Length: 5\r\n\r\nabc"
    yield refused("a body that takes from the next request", cut, Call("first", b"abcGE", "POST"))
    yield refused("a body without a length", POST + b"\r\nabc\r\n\r\n", Call("first", b"", "POST"))
    many = POST + b"Content-Length: 0\r\n\r\n" + HIDDEN.replace(b"hidden", b"second")
    yield served("a length of nothing", many, Call("first", b"", "POST"), Call("second"))
    close = POST + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc" + HIDDEN
    yield ending("a request behind the last", close, Call("first", b"abc", "POST"))
