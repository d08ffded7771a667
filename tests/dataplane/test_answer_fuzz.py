"""Answers cut anywhere, made of fragments and mutated: what a client takes for complete, h11 reads alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.dataplane.answers import CASES
from tests.dataplane.answers.cases import EVIL, OK, Case
from tests.dataplane.answers.judge import CLOSES, RESETS, STAYS, judge, judge_case

#: Small enough to be cut at each byte.
SMALL = [case for case in CASES if len(case.raw) < 400]
#: h11 minds the form of framing even in a trailer, where nobody else looks.
MUTABLE = [case for case in SMALL if not re.search(rb"\n(Transfer|Content)-[EL]\w+: \w+\r\n\r\n$", case.raw)]
NASTY = b"\r\n\t :;,=+-0139afxAF_\x00\x01\x0b\x7f\x80\xff"
PIECES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
    b"HTTP/1.1 101 Go\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, upgrade\r\n",
    b"Upgrade: x\r\n",
    b"X: y\r\n",
    b"\r\n",
    b"abcde",
    b"5\r\nabcde\r\n",
    b"5;x=y\r\nabcde\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    OK,
    EVIL,
]
cut_places = st.lists(st.integers(0, 5000), max_size=4)
endings = st.sampled_from([STAYS, CLOSES, RESETS])


@pytest.mark.parametrize("after", [STAYS, CLOSES, RESETS])
@pytest.mark.parametrize(
    ("method", "version"), [("GET", "1.1"), ("GET", "1.0"), ("HEAD", "1.1"), ("POST", "1.1")]
)
def test_every_case_is_read_alike_whatever_was_asked(method: str, version: str, after: str) -> None:
    _none({case.name: judge(case.raw, [], method, version, after) for case in SMALL})


def test_every_case_has_its_fate_byte_by_byte() -> None:
    _none({case.name: judge_case(case, list(range(1, len(case.raw)))) for case in SMALL})


def test_one_of_each_kind_has_its_fate_wherever_it_is_cut() -> None:
    kinds = {case.name.partition(":")[0]: case for case in SMALL}
    cuts = [(case, cut) for case in kinds.values() for cut in range(len(case.raw))]
    _none({f"{case.name} cut at {cut}": judge_case(case, [cut]) for case, cut in cuts})


def _none(problems: dict[str, str]) -> None:
    shown = [f"{name}\n    {problem[:300]}" for name, problem in problems.items() if problem]
    assert not shown, f"{len(shown)} wrong:\n" + "\n".join(shown)


@seed(22)
@settings(max_examples=600, deadline=None, database=None)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=10),
    cut_places,
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.sampled_from(["1.1", "1.0"]),
    endings,
)
def test_fragments_are_read_alike(
    pieces: list[bytes], cuts: list[int], method: str, version: str, after: str
) -> None:
    assert not judge(b"".join(pieces), cuts, method, version, after)


@seed(23)
@settings(max_examples=1000, deadline=None, database=None)
@given(
    st.sampled_from(MUTABLE),
    st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(NASTY), st.integers(0, 2)), max_size=3),
    cut_places,
    endings,
)
def test_mutations_are_read_alike(
    case: Case, changes: list[tuple[int, int, int]], cuts: list[int], after: str
) -> None:
    data = bytearray(case.raw)
    for place, code, kind in changes:
        at = place % (len(data) + 1)
        if kind == 0:
            data.insert(at, code)
        else:
            data[at : at + 1] = bytes((code,)) if kind == 1 else b""
    assert not judge(bytes(data) or b"\n", cuts, case.method, after=after)
