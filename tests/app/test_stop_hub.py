"""`carrel stop`: which process it ends, and that it may have ended already."""

from __future__ import annotations

import subprocess
import sys

import pytest

from carrel.app.run import terminate
from carrel.lib.process_table import Process, find, is_alive

pytestmark = pytest.mark.real
FOR_EVER = [sys.executable, "-c", "import signal; signal.pause()"]


def test_a_hub_that_is_there_is_ended() -> None:
    with subprocess.Popen(FOR_EVER) as child:
        hub = find(child.pid)
        assert hub is not None
        terminate(hub)
        assert not is_alive(hub)


def test_one_that_has_ended_in_the_same_moment_is_no_error() -> None:
    with subprocess.Popen(FOR_EVER) as child:
        hub = find(child.pid)
        child.kill()
    assert hub is not None
    terminate(hub)


def test_whoever_has_its_number_by_now_is_left_alone() -> None:
    with subprocess.Popen(FOR_EVER) as child:
        there = find(child.pid)
        assert there is not None
        terminate(Process(child.pid, "another start"))
        assert is_alive(there)
        child.kill()
