"""Chunks, trailers, expectations, upgrades and requests sent ahead."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.corpus.cases import CHUNKS, GET, HIDDEN, POST, Call, Case, ending, refused, served

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD_CHUNKS = (
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"3h\r\nabc\r\n0\r\n\r\n",
    b"-3\r\nabc\r\n0\r\n\r\n",
    b"+3\r\nabc\r\n0\r\n\r\n",
    b" 3\r\nabc\r\n0\r\n\r\n",
    b"\t3\r\nabc\r\n0\r\n\r\n",
    b"\x003\r\nabc\r\n0\r\n\r\n",
    b"3\x00\r\nabc\r\n0\r\n\r\n",
    b"3\x0b\r\nabc\r\n0\r\n\r\n",
    b"g\r\nabc\r\n0\r\n\r\n",
    b"\r\nabc\r\n0\r\n\r\n",
    b";a=b\r\nabc\r\n0\r\n\r\n",
    b"3_0\r\nabc\r\n0\r\n\r\n",
    b"3.0\r\nabc\r\n0\r\n\r\n",
    b"3,3\r\nabc\r\n0\r\n\r\n",
    b"\xb3\r\nabc\r\n0\r\n\r\n",
    b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    b"3\nabc\r\n0\r\n\r\n",
    b"3\rabc\r\n0\r\n\r\n",
    b"3\r\r\nabc\r\n0\r\n\r\n",
    b"3\n\rabc\r\n0\r\n\r\n",
    b"3;a\nabc\r\n0\r\n\r\n",
    b"3;\nabc\r\n0\r\n\r\n",
    b"3;a=b\nabc\r\n0\r\n\r\n",
    b'3;a="b\nc"\r\nabc\r\n0\r\n\r\n',
    b'3;a="b\rc"\r\nabc\r\n0\r\n\r\n',
    b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    b"3;a\x00b\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc0\r\n\r\n",
    b"3\r\nabc\n0\r\n\r\n",
    b"3\r\nabc\r0\r\n\r\n",
    b"3\r\nabcXY0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"3\r\nab\r\n0\r\n\r\n",
    b"3\r\nabc\r\n\r\n0\r\n\r\n",
    b"3\r\nabc\r\n0\n\n",
    b"3\r\nabc\r\n0\r\n\n",
    b"3\r\nabc\r\n0\n\r\n",
    b"3\r\nabc\r\n0\r\n\r\r\n",
    b"3\r\nabc\r\n0\r\n",
    b"3\r\nabc\r\n0\r\r\n",
    b"3\r\nabc\r\n-0\r\n\r\n",
    b"3\r\nabc\r\n0x0\r\n\r\n",
    b"3\r\nabc\r\n0\r\n \r\n\r\n",
    b"2;\nxx\r\n" + b"45\r\n0\r\n\r\n" + HIDDEN,
)
BAD_TRAILERS = (
    b"X\r\n",
    b"X y\r\n",
    b"X : y\r\n",
    b" X: y\r\n",
    b"X: y\r\n z\r\n",
    b"X: y\nZ: z\r\n",
    b"X: y\rZ: z\r\n",
    b"X: a\x00b\r\n",
    b"X\x00: y\r\n",
    b": y\r\n",
    b"X: y\r\n\tz\r\n",
)
GOOD_CHUNKS = (
    b"3\r\nabc\r\n0\r\n\r\n",
    b"003\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n000\r\n\r\n",
    b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    b"3;a\r\nabc\r\n0\r\n\r\n",
    b"3;a=b\r\nabc\r\n0\r\n\r\n",
    b"3;a=b;c=d\r\nabc\r\n0\r\n\r\n",
    b'3;a="b c"\r\nabc\r\n0\r\n\r\n',
    b"3\r\nabc\r\n0;a=b\r\n\r\n",
    b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"3\r\nabc\r\n0\r\nX: y\r\nZ: z\r\n\r\n",
)
#: Framing and routing have no place behind a body: such a trailer may be dropped or refused, never used.
TRICKY_TRAILERS = (
    b"Host: e",
    b"Authorization: x",
    b"Cookie: a=b",
    b"Expect: 100-continue",
    b"X-Forwarded-For: 1.1.1.1",
)
UPGRADES = (b"websocket", b"chat", b"h2c", b"TLS/1.0", b"HTTP/2.0", b"websocket, h2c", b"a" * 200)


def cases() -> Iterator[Case]:
    """Return the cases about what follows a head."""
    yield from _chunks()
    yield from _expectations()
    yield from _upgrades()
    yield from _ahead()


def _chunks() -> Iterator[Case]:
    for chunks in BAD_CHUNKS:
        yield refused("chunks", CHUNKED + chunks)
    for trailer in BAD_TRAILERS:
        yield refused("trailer", CHUNKED + b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n")
    for chunks in GOOD_CHUNKS:
        yield served("good chunks", CHUNKED + chunks, Call("first", b"abc", "POST"))
    for trailer in TRICKY_TRAILERS:
        raw = CHUNKED + b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n\r\n"
        yield served("tricky trailer", raw, Call("first", b"abc", "POST"))
    close = CHUNKED + b"3\r\nabc\r\n0\r\nConnection: close\r\n\r\n"
    yield served("a trailer that closes", close, Call("first", b"abc", "POST"))
    for trailer in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"):
        yield refused("a framing trailer", CHUNKED + b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n\r\n")
    upper = CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n"
    yield served("upper case", upper, Call("first", b"0123456789", "POST"))
    hidden = CHUNKED + b"%SIZE%;" + b"a" * 300 + b"\r\n" + HIDDEN + b"\r\n0\r\n\r\n"
    yield served("a long extension", hidden, Call("first", HIDDEN, "POST"))


def _expectations() -> Iterator[Case]:
    expect = b"Expect: 100-continue\r\n"
    yield served("expect nothing", GET + expect + b"\r\n", Call())
    length = POST + expect + b"Content-Length: 3\r\n\r\nabc"
    yield served("expect a length", length, Call("first", b"abc", "POST"))
    chunked = POST + expect + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
    yield served("expect chunks", chunked, Call("first", b"abc", "POST"))
    hidden = POST + expect + b"Content-Length: %LENGTH%\r\n\r\n" + HIDDEN
    yield served("expect a request", hidden, Call("first", HIDDEN, "POST"))
    for line in (b"Expect : 100-continue", b"Expect: 100-continue\n", b"Expect:\r\n 100-continue"):
        yield refused("expect", POST + line + b"\r\nContent-Length: 3\r\n\r\nabc")


def _upgrades() -> Iterator[Case]:
    for protocol in UPGRADES:
        line = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\n"
        kind = served if b"h2c" in protocol else ending
        yield kind("an upgrade nobody makes", GET + line + b"\r\n", Call())
        body = POST + line + b"Content-Length: 3\r\n\r\nabc"
        yield served("an upgrade with a body", body, Call("first", b"abc", "POST"))
        chunks = POST + line + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
        yield served("an upgrade with chunks", chunks, Call("first", b"abc", "POST"))
        old = body.replace(b"/1.1", b"/1.0")
        yield ending("an upgrade with a body in 1.0", old, Call("first", b"abc", "POST"))
        yield refused(
            "an upgrade with both", POST + line + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
    yield served("only the header", GET + b"Upgrade: websocket\r\n\r\n", Call())
    yield served("only the token", GET + b"Connection: Upgrade\r\n\r\n", Call())


def _ahead() -> Iterator[Case]:
    second = GET.replace(b"first", b"second") + b"\r\n"
    third = POST.replace(b"first", b"third") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
    calls = (Call(), Call("second"), Call("third", b"abc", "POST"))
    yield served("three ahead", GET + b"\r\n" + second + third, *calls)
    yield served(
        "a length, then another",
        POST + b"Content-Length: 3\r\n\r\nabc" + second + third,
        Call("first", b"abc", "POST"),
        *calls[1:],
    )
    yield served("chunks, then another", CHUNKED + CHUNKS + second, Call("first", b"abc", "POST"), calls[1])
    head = b"HEAD" + GET[3:] + b"\r\n"
    yield served("a HEAD, then another", head + second, Call("first", b"", "HEAD"), calls[1])
    yield served(
        "nowhere, then another", GET.replace(b"/user/u/MARK.first", b"/nowhere") + b"\r\n" + second, calls[1]
    )
    yield served(
        "an empty line between",
        POST + b"Content-Length: 3\r\n\r\nabc\r\n" + second,
        Call("first", b"abc", "POST"),
        calls[1],
    )
    yield refused(
        "good, then both",
        GET
        + b"\r\n"
        + POST.replace(b"first", b"hidden")
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Call(),
    )
    yield refused(
        "good, then a bare line end", GET + b"\r\nGET /user/u/MARK.hidden HTTP/1.1\nHost: h\n\n", Call()
    )
    yield refused("good, then noise", GET + b"\r\n\x00\x01\x02", Call())
    yield ending("close, then another", GET + b"Connection: close\r\n\r\n" + HIDDEN, Call())
    yield ending("close among others", GET + b"Connection: x, ClOsE\r\n\r\n" + HIDDEN, Call())
    yield ending("close, then noise", GET + b"Connection: close\r\n\r\n\x00\x01\x02", Call())
