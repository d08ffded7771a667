"""What must hold of any answer whatever: what the client takes for complete is what the server sent."""

from __future__ import annotations

import re
from itertools import pairwise

from tests.dataplane.answers.cases import FORBIDDEN_TRAILERS, WHOLE, Case
from tests.dataplane.answers.offline import Offline
from tests.dataplane.answers.readings import Pairs, Reading, read_h11

#: Fields of one connection: each side has its own.
_HOPS = frozenset(b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade".split())
_INTERIM = re.compile(rb"HTTP/1\.[01] 1\d\d[ \r]")
#: How a server may go on behind its bytes.
STAYS, CLOSES, RESETS = "stays", "closes", "resets"


def run(raw: bytes, cuts: list[int], method: str, version: str, after: str) -> tuple[Offline, Reading]:
    """Answer a request with `raw` in pieces; return what happened, and the client's reading of it."""
    there = Offline(f"{method} / HTTP/{version}\r\nHost: h\r\nConnection: keep-alive\r\n\r\n".encode())
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    there.answer(raw[start:end] for start, end in pairwise(edges))
    if after != STAYS:
        there.server.end(None if after == CLOSES else ConnectionResetError())
    there.client.settle()
    return there, read_h11(there.got, method, ended=there.client.closing and not there.client.aborted)


def is_own(reading: Reading) -> bool:
    """Tell whether the answer is the proxy's own."""
    return reading.status == 502 and (b"content-type", b"application/json") in reading.headers


def judge(raw: bytes, cuts: list[int], method: str = "GET", version: str = "1.1", after: str = STAYS) -> str:
    """Return what is wrong unless the client read what h11 reads in `raw`, or sees that it did not."""
    return _compare(raw, method, after, *run(raw, cuts, method, version, after))


def judge_case(case: Case, cuts: list[int]) -> str:
    """Return what is wrong as `judge` does, or in what the case did not meet its fate."""
    after = CLOSES if case.ends else STAYS
    there, reading = run(case.raw, cuts, case.method, "1.1", after)
    problem = _compare(case.raw, case.method, after, there, reading)
    if problem:
        return problem
    if WHOLE not in case.fates:
        return f"it arrived: {reading}" if reading.complete and not is_own(reading) else ""
    if case.fates != {WHOLE}:
        return ""
    if not reading.complete or (reading.status, reading.body) != (case.status, case.body):
        return f"it did not arrive: {reading}"
    return "" if there.kept == case.clean else f"the connection is kept: {there.kept}"


def _compare(raw: bytes, method: str, after: str, there: Offline, ours: Reading) -> str:
    theirs = read_h11(_trimmed(raw), method, ended=after == CLOSES)
    if ours.rest:
        return f"the client got more than an answer: {ours}"
    if FORBIDDEN_TRAILERS & {name for name, _ in ours.trailers}:
        return f"the client got a forbidden trailer: {ours}"
    if there.kept and (is_own(ours) or not theirs.reusable):
        return f"the connection to the server is used again after {theirs}"
    if there.kept and not there.client.closing and read_h11(again := there.again()).body != b"again":
        return f"the connection to the server is kept, but then {again!r}"
    if ours.complete and not is_own(ours):
        return "" if _same(ours, theirs) else f"the client got {ours} of {theirs}"
    waits = after == STAYS and not theirs.complete and not there.server.closing
    return "" if waits or ours.complete or there.client.closing else "the client waits for ever"


def _trimmed(raw: bytes) -> bytes:
    """Return `raw` without the empty lines before an answer, which may be passed over; h11 does not."""
    raw, heads = raw.lstrip(b"\r\n"), b""
    while _INTERIM.match(raw) and (end := raw.find(b"\r\n\r\n") + 4) > 3:
        heads, raw = heads + raw[:end], raw[end:].lstrip(b"\r\n")
    return heads + raw


def _same(ours: Reading, theirs: Reading) -> bool:
    return (
        theirs.complete
        and (ours.status, ours.body) == (theirs.status, theirs.body)
        and _end_to_end(ours.headers) == _end_to_end(theirs.headers)
        and set(ours.trailers) <= set(theirs.trailers)
    )


def _end_to_end(headers: Pairs) -> Pairs:
    options = [value.lower().split(b",") for name, value in headers if name == b"connection"]
    nominated = {token.strip() for tokens in options for token in tokens}
    drop = _HOPS | nominated | {b"content-length"}
    return [(name, value) for name, value in headers if name not in drop]
