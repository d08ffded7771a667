"""What a route file says, and that nothing else is believed."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from carrel.dataplane.journal import (
    DamagedFileError,
    Head,
    Record,
    Remembered,
    Snapshot,
    decode,
    encode_record,
)
from carrel.dataplane.routes import Route, RouteTable
from carrel.lib.clock import SystemClock

A, B = {"target": "http://127.0.0.1:1"}, {"target": "http://127.0.0.1:2", "user": "b"}
CHANGES = (
    Record(8, 20.0, {"/user/bea": B}),
    Record(9, 21.0, removed=("/user/ada",)),
    Record(10, 22.0, {"/user/carl": A, "/user/bea": B}, whole=True),
)


def routes() -> list[Route]:
    table = RouteTable(SystemClock())
    table.load([("/user/ada", A, 10.0), ("/user/a%2Fb", B, 11.0), ("/", A, 12.0)])
    return table.all()


def snapshot() -> bytes:
    begun = Snapshot(Head(7))
    begun.add(routes()[:2])
    begun.add(routes()[2:])
    return begun.encode()


def content(*records: Record) -> bytes:
    return snapshot() + b"".join(map(encode_record, records))


def activity(found: Remembered) -> dict[str, float]:
    return {spec: route.last_activity for spec, route in found.routes.items()}


def test_a_snapshot_is_read_as_it_was_written() -> None:
    found = decode(snapshot())
    assert {spec: (route.data, route.last_activity) for spec, route in found.routes.items()} == {
        "/user/ada": (A, 10.0),
        "/user/a%2Fb": (B, 11.0),
        "/": (A, 12.0),
    }
    assert (found.number, found.entries, found.size, found.torn) == (7, 0, len(snapshot()), False)


def test_changes_are_applied_in_their_order() -> None:
    assert activity(decode(content(*CHANGES[:1]))) == {
        "/user/ada": 10.0,
        "/user/a%2Fb": 11.0,
        "/": 12.0,
        "/user/bea": 20.0,
    }
    assert activity(decode(content(*CHANGES[:2]))) == {"/user/a%2Fb": 11.0, "/": 12.0, "/user/bea": 20.0}
    whole = decode(content(*CHANGES))
    assert activity(whole) == {"/user/carl": 22.0, "/user/bea": 20.0}
    assert (whole.number, whole.entries) == (10, 4)


def test_of_every_cut_the_complete_changes_are_left() -> None:
    full = content(*CHANGES)
    ends = [len(content(*CHANGES[:count])) for count in range(4)]
    for size in range(len(full)):
        if size < ends[0]:
            with pytest.raises(DamagedFileError):
                decode(full[:size])
            continue
        found, count = decode(full[:size]), sum(end <= size for end in ends) - 1
        assert found.routes == decode(content(*CHANGES[:count])).routes
        assert (found.size, found.torn) == (ends[count], size > ends[count])


def test_no_altered_byte_goes_unnoticed() -> None:
    full = content(*CHANGES)
    for place in range(len(full)):
        altered = bytearray(full)
        altered[place] ^= 1
        if place == len(full) - 1:
            # Without its end the last line is one that was never complete.
            assert decode(bytes(altered)).routes == decode(content(*CHANGES[:2])).routes
            continue
        with pytest.raises(DamagedFileError):
            decode(bytes(altered))


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "does not begin"),
        (b"[]\n", "does not begin"),
        (b"\x7fELF" + bytes(100), "does not begin"),
        (content(CHANGES[0], CHANGES[2]), "change 9 is missing, 10 is there"),
        (content(CHANGES[1]), "change 8 is missing, 9 is there"),
        (content(CHANGES[0], CHANGES[0]), "change 9 is missing, 8 is there"),
        (content(*CHANGES).replace(b"/user/carl", b"/user/karl"), "checksum of change 10"),
        (content(*CHANGES) + b"\n", "checksum of change 11"),
        (content(*CHANGES).replace(b"/user/ada", b"/user/eve", 1), "snapshot's checksum"),
        (content(*CHANGES) + content(*CHANGES), "checksum of change 11"),
    ],
)
def test_damage_is_named(damaged: bytes, why: str) -> None:
    with pytest.raises(DamagedFileError, match=why):
        decode(damaged)


def first_format(stored: object) -> bytes:
    body = msgspec.json.encode(stored)
    return b"carrel-routes-1 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_the_first_format_is_still_read() -> None:
    old = first_format([{"spec": "/user/ada", "data": A, "last_activity": 10.0}])
    found = decode(old)
    assert activity(found) == {"/user/ada": 10.0}
    assert (found.number, found.size) == (0, 0)
    for damaged in (old[:-1], old.replace(b"ada", b"eve"), first_format([{"spec": 5}])):
        with pytest.raises(DamagedFileError):
            decode(damaged)
