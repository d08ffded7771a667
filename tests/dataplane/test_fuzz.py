"""Requests made of fragments and mutations: what the reader takes, h11 frames in the same way."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import h11
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from carrel.dataplane.limits import Limits
from carrel.dataplane.reader import RequestReader
from carrel.dataplane.refusal import RefusedError
from carrel.dataplane.request import Request
from carrel.dataplane.request_head import Peer
from tests.dataplane.corpus import bodies, framing, lines

SAMPLES = [case.marked("m") for module in (framing, lines, bodies) for case in module.cases()]
NASTY = b"\r\n\t :;,=+-0139afxAF_\x00\x01\x0b\x7f\x80\xff"
PIECES = [
    b"GET /a HTTP/1.1\r\n",
    b"POST /b?c HTTP/1.1\r\n",
    b"PUT /d HTTP/1.0\r\n",
    b"Host: h\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, upgrade\r\n",
    b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"X: y\r\n",
    b"\r\n",
    b"abcde",
    b"5\r\nabcde\r\n",
    b"5;x=y\r\nabcde\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
]


@dataclass
class Taker:
    """Takes what the reader finds, and undoes its framing of chunks."""

    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    refusals: int = 0

    def received(self, request: Request) -> None:
        assert not self.refusals
        self.requests.append(request)
        self.bodies.append(b"")

    def body(self, request: Request, data: bytes) -> None:
        assert request is self.requests[-1]
        self.bodies[-1] += data

    def refused(self, request: Request, error: RefusedError) -> None:
        assert 400 <= error.status < 500
        self.refusals += 1


Found = tuple[bytes, bytes, bytes]


def read(raw: bytes, cuts: list[int]) -> tuple[list[Found], Taker]:
    """Return the complete requests that the reader takes from pieces, and who took them."""
    taker = Taker()
    reader = RequestReader(taker, Peer("1.2.3.4"), Limits())
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    for start, end in pairwise(edges):
        reader.feed(raw[start:end])
    pairs = zip(taker.requests, taker.bodies, strict=True)
    return [(r.method, r.target, unchunked(r, body)) for r, body in pairs if r.complete], taker


def unchunked(request: Request, body: bytes) -> bytes:
    """Return the body without the framing that it was given."""
    found = b""
    while request.chunked:
        size, _, rest = body.partition(b"\r\n")
        if size == b"0":
            break
        found += rest[: int(size, 16)]
        assert rest[int(size, 16) :].startswith(b"\r\n")
        body = rest[int(size, 16) + 2 :]
    return found if request.chunked else body


def read_h11(raw: bytes) -> list[Found]:
    """Return the complete requests that h11 finds."""
    found: list[Found] = []
    # Empty lines before a request may be passed over; h11 is strict about halves of them.
    while raw := raw.lstrip(b"\r\n"):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
        connection.receive_data(raw)
        method = target = body = b""
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    method, target = event.method, event.target
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                else:
                    return found
        except h11.RemoteProtocolError:
            return found
        found.append((method, target, body))
        raw = connection.trailing_data[0]
    return found


def compare(raw: bytes, cuts: list[int]) -> None:
    ours, taker = read(raw, cuts)
    assert taker.refusals <= 1
    theirs = [found for found in read_h11(raw) if found[1].startswith((b"/", b"*"))]
    if all(found[1].startswith(b"/") for found in ours) and b"://" not in raw:
        assert ours == theirs[: len(ours)]
    whole, _ = read(raw, [])
    assert ours == whole


cut_places = st.lists(st.integers(0, 5000), max_size=4)


@seed(20)
@settings(max_examples=600, deadline=None, database=None)
@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=12), cut_places)
def test_fragments_are_framed_as_h11_does(pieces: list[bytes], cuts: list[int]) -> None:
    compare(b"".join(pieces), cuts)


@seed(21)
@settings(max_examples=1000, deadline=None, database=None)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(NASTY), st.integers(0, 2)), max_size=3),
    cut_places,
)
def test_mutations_are_framed_as_h11_does(
    raw: bytes, changes: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    data = bytearray(raw)
    for place, code, kind in changes:
        at = place % (len(data) + 1)
        if kind == 0:
            data.insert(at, code)
        else:
            data[at : at + 1] = bytes((code,)) if kind == 1 else b""
    compare(bytes(data), cuts)
