from __future__ import annotations

import os
import socket

import pytest

from carrel.warmstart import wire
from carrel.warmstart.wire import BadMessageError, Request, Rights, Surroundings


def request() -> Request:
    return Request(
        argv=("/usr/bin/x", "--a b", "ü\udcff"),
        env={"A": "1", "ODD": "\udcff"},
        home="/home/ada",
        account_name="ada",
        account_home="/home/ada",
        rights=Rights(uid=1000, gid=1000, groups=(4, 1000)),
        pid_variable="PID",
        surroundings=Surroundings(
            umask=0o27, limits={"RLIMIT_CORE": (0, -1)}, ignored_signals=(1,), control_groups=("0::/a",)
        ),
    )


def test_a_request_arrives_as_it_was_sent_with_its_descriptor() -> None:
    ours, its = socket.socketpair()
    reading, writing = os.pipe()
    with ours, its:
        wire.send_request(ours, request(), writing)
        received, descriptor = wire.receive_request(its)
    assert received == request()
    os.write(descriptor, b"here")
    assert os.read(reading, 4) == b"here"
    for number in (reading, writing, descriptor):
        os.close(number)


@pytest.mark.parametrize("sent", [b"", b"\0", b"\0\0\0\7half", b"\xff\xff\xff\xff"])
def test_what_is_no_request_is_told(sent: bytes) -> None:
    ours, its = socket.socketpair()
    with its:
        with ours:
            ours.sendall(sent)
        with pytest.raises(BadMessageError):
            wire.receive_request(its)


def test_a_side_that_has_gone_answers_nothing() -> None:
    ours, its = socket.socketpair()
    with ours:
        its.close()
        assert wire.receive_answer(ours) == {}


def test_an_answer_is_one_line() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        its.sendall(wire.encode({"pid": 7}) + b"more")
        assert wire.receive_answer(ours) == {"pid": 7}
        assert ours.recv(4) == b"more"


def test_the_other_side_is_known_to_the_kernel() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        assert wire.peer(ours) == (os.getpid(), os.geteuid())
