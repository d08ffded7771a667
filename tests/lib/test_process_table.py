from __future__ import annotations

import os

import pytest

from carrel.lib.process_table import (
    Process,
    Sighting,
    environ_of,
    find,
    is_alive,
    look,
    owner_of,
    parse_stat,
    running,
    same,
)

OURS = Process(4242, "1000@boot")
LABELS = {"HUB": "h", "SERVER": "7"}


@pytest.mark.parametrize(
    ("start_time", "seen", "environ", "ours"),
    [
        ("1000@boot", Sighting("1000@boot", "S", 1), {"HUB": "h", "SERVER": "7", "X": "1"}, True),
        ("1000@boot", Sighting("1000@boot", "S", 1), {}, True),  # its environment is not ours to read
        ("1000@boot", Sighting("1000@boot", "S", 1), {"HUB": "h"}, True),  # it wrote over a part
        ("1000@boot", None, {}, False),  # nothing has the pid
        ("1000@boot", Sighting("1001@boot", "S", 1), {}, False),  # the pid is used again
        (
            "1000@boot",
            Sighting("1001@boot", "S", 1),
            {"HUB": "h", "SERVER": "7"},
            False,
        ),  # by a child of ours
        ("1000@boot", Sighting("1000@later", "S", 1), {}, False),  # the machine was restarted
        ("1000@boot", Sighting("1000@boot", "S", 1), {"SERVER": "8"}, False),  # another run's
        ("1000@boot", Sighting("1000@boot", "S", 1), {"HUB": "other", "SERVER": "7"}, False),  # another hub's
        ("", Sighting("1000@boot", "S", 1), {"HUB": "h", "SERVER": "7"}, False),  # only the pid is known
        ("", Sighting("", "S", 1), {}, False),
    ],
)
def test_whose_process_a_pid_is(
    start_time: str, seen: Sighting | None, environ: dict[str, str], ours: bool
) -> None:
    assert same(Process(4242, start_time), seen, LABELS, environ) is ours


@pytest.mark.parametrize("name", ["python", "a b", "a) S 1 (b", ")", "((("])
def test_a_stat_line_is_read_whatever_the_process_is_called(name: str) -> None:
    stat = f"12 ({name}) S 34 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n"
    assert parse_stat(stat, "boot") == Sighting("98765@boot", "S", 34, 12)


def test_this_process_is_known() -> None:
    own = find(os.getpid())
    assert own is not None
    assert is_alive(own)
    assert not is_alive(Process(own.pid, own.start_time + "0"))
    sighting = look(own.pid)
    assert sighting is not None
    assert (sighting.parent, sighting.group) == (os.getppid(), os.getpgrp())
    assert owner_of(own.pid) == os.getuid()
    assert own.pid in running()
    assert "PATH" in environ_of(own.pid)


def test_nothing_runs_under_an_impossible_pid() -> None:
    impossible = 2**22 + 1
    assert find(0) is None
    assert find(impossible) is None
    assert environ_of(impossible) == {}
    assert owner_of(impossible) is None
