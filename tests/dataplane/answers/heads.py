"""Status lines, versions, characters, line ends and sizes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.answers.cases import OK, STATUS, Case, clean, doubtful, ended, last, refused
from tests.dataplane.corpus.lines import BAD_VERSIONS, CONTROLS, DELIMITERS

END = b"Content-Length: 2\r\n\r\nok"
#: What stands behind the version.
BAD_STATUSES = (
    b" 099 X| 000 X| 20 OK| 2000 OK| -20 OK| +200 OK| 2e2 OK| 0x2 OK| 20x OK| 200OK| 2 00 OK| OK 200| OK| |"
    b"| 200 OK\r"
    b"|\t200 OK| \t200 OK|  200 OK|200 OK| \xb2\xb0\xb0 OK| \xef\xbc\x92\xef\xbc\x90\xef\xbc\x90 OK| 200.0 OK"
    b"| 200,200 OK| 18446744073709551816 OK| 200 O\x00K| 200\x00OK| 200 O\x7fK| 200 O\x1bK| 200 O\rK"
).split(b"|")
NO_STATUS_LINES = (b"200 OK|OK|200 OK HTTP/1.1|ICY 200 OK|RTSP/1.0 200 OK|GET / HTTP/1.1").split(b"|")
BAD_STARTS = (
    b" ",
    b"\t",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\x0b",
    b"X",
    b"H",
    b"HTTP/1.1",
    b"\x16\x03\x03\x00\x30\x02\x00",
)
#: What comes from a server that speaks HTTP/0.9, or another protocol.
NO_HEADS = (
    b"<html><body>evil</body></html>",
    b"evil",
    b"\r\n",
    b"\x15\x03\x03\x00\x02\x02\x50",
    b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"220 mail ESMTP\r\n",
    b"-ERR unknown command\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2",
    b"HTTP",
)
BAD_LINES = (
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\rContent-Length: 2\r\rok",
    b"HTTP/1.1 200 OK\n\rContent-Length: 2\n\r\n\rok",
    STATUS + b"Content-Length: 2\n\r\nok",
    STATUS + b"Content-Length: 2\r\n\nok",
    STATUS + b"Content-Length: 2\r\n\rok",
    STATUS + b"Content-Length: 2\r\n\r\r\nok",
    STATUS + b"\rContent-Length: 2\r\n\r\nok",
    STATUS + b" X: y\r\n" + END,
    STATUS + b"\tX: y\r\n" + END,
    STATUS + b"X: y\r\n z\r\n" + END,
    STATUS + b"X: y\r\n\tz\r\n" + END,
    STATUS + b"X:\r\n y\r\n" + END,
    STATUS + b"X: y\r\n \r\n" + END,
    STATUS + b"X: y\r\n Z: z\r\n" + END,
    STATUS + b"X: y\nZ: z\r\n" + END,
    STATUS + b"X: y\rZ: z\r\n" + END,
    STATUS + b"X: y\r\r\n" + END,
    STATUS + b"X: y\r\n\rZ: z\r\n" + END,
    STATUS + b"X: y\n\n" + END,
    STATUS + b"X : y\r\n" + END,
    STATUS + b"X\t: y\r\n" + END,
    STATUS + b"X y\r\n" + END,
    STATUS + b"X\r\n" + END,
    STATUS + b": y\r\n" + END,
    STATUS + b"X\r\n: y\r\n" + END,
    STATUS + b"X: y\r\nHTTP/1.1 200 OK\r\n" + END,
)


def cases() -> Iterator[Case]:
    """Return the cases about what stands before the body."""
    yield from _status_lines()
    yield from _characters()
    yield from _sizes()
    yield from _lasting()


def _status_lines() -> Iterator[Case]:
    for line in [b"HTTP/1.1" + status for status in BAD_STATUSES] + NO_STATUS_LINES:
        yield refused("status line", line + b"\r\n" + END, ends=True)
    for version in BAD_VERSIONS:
        yield refused("version", version + b" 200 OK\r\n" + END, ends=True)
    for start in BAD_STARTS:
        yield refused("start", start + OK, ends=True)
    for noise in NO_HEADS:
        yield refused("no head", noise, ends=True)
    for line in (b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200 a\tb", b"HTTP/1.1 200 \xc3\xa9t\xe9"):
        yield clean("odd reason", line + b"\r\n" + END)
    for status in (b"299", b"418", b"599"):
        yield clean("odd status", b"HTTP/1.1 " + status + b" X\r\n" + END, status=int(status))
    for status in (b"600", b"999"):
        yield doubtful("status beyond the last", b"HTTP/1.1 " + status + b" X\r\n" + END, status=int(status))
    for gap in (b"\r\n", b"\n", b"\r"):
        yield doubtful("an empty line first", gap + OK)


def _characters() -> Iterator[Case]:
    for lines in BAD_LINES:
        yield refused("line", lines, ends=True)
    for code in CONTROLS:
        yield refused("control in a name", STATUS + b"X" + code + b"Y: z\r\n" + END, ends=True)
        yield refused("control in a value", STATUS + b"X: y" + code + b"z\r\n" + END, ends=True)
    for code in DELIMITERS:
        yield refused("delimiter in a name", STATUS + b"X" + code + b"Y: z\r\n" + END, ends=True)
    for value in (b"", b" ", b"y\tz", b"\x80\xff", b"\xe2\x98\x83", b":", b"a: b", b'"', b"  y  "):
        yield clean("odd value", STATUS + b"X:" + value + b"\r\n" + END)
    for line in (
        b"!#$%&'*+-.^_`|~: y",
        b"0: y",
        b"X: y\r\nX: z\r\nx: y",
        b"Set-Cookie: a=b\r\nSet-Cookie: c=d",
    ):
        yield clean("odd line", STATUS + line + b"\r\n" + END)


def _sizes() -> Iterator[Case]:
    yield clean("many lines", STATUS + b"X: y\r\n" * 200 + END)
    yield doubtful("too many lines", STATUS + b"X: y\r\n" * 20_000 + END)
    yield clean("a long line", STATUS + b"X: " + b"y" * 60_000 + b"\r\n" + END)
    yield doubtful("a very long line", STATUS + b"X: " + b"y" * 300_000 + b"\r\n" + END)
    yield refused("lines without an end", STATUS + b"X: y\r\n" * 400_000)
    yield refused("a line without an end", STATUS + b"X: " + b"y" * 2_000_000)
    yield refused("a name without an end", STATUS + b"y" * 2_000_000)
    yield refused("a reason without an end", b"HTTP/1.1 200 " + b"y" * 2_000_000)
    yield refused("empty lines without an end", b"\r\n" * 1_000_000)


def _lasting() -> Iterator[Case]:
    for line in (
        b"Connection: close",
        b"Connection: x, CLOSE",
        b"connection:close",
        b"Connection: keep-alive, close",
    ):
        yield last("it closes", STATUS + line + b"\r\n" + END)
    yield last("it is old", b"HTTP/1.0 200 OK\r\n" + END)
    yield last("it is old and closes", b"HTTP/1.0 200 OK\r\nConnection: close\r\n" + END)
    yield clean("it is old and lasts", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + END)
    yield ended("until the end", STATUS + b"\r\nok")
    yield ended("until the end, kept alive", STATUS + b"Connection: keep-alive\r\n\r\nok")
    yield ended("until the end, nothing", STATUS + b"\r\n", b"")
    yield ended("until the end, old", b"HTTP/1.0 200 OK\r\n\r\nok")
    yield ended("an answer as a body", STATUS + b"\r\n" + OK, OK)
