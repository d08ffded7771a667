"""The rigs themselves: a rig that finds nothing would let every test pass."""

from __future__ import annotations

import os
import subprocess
import sys
from email.message import Message
from pathlib import Path

import psycopg
import pytest

from tests.rigs import processes
from tests.rigs.poll import TooLate, until
from tests.rigs.visitor import Reply, Visitor


def page(text: str) -> Reply:
    return Reply("http://127.0.0.1:1/hub/login", 200, Message(), text.encode())


@pytest.mark.parametrize(
    "field",
    [
        '<input type="hidden" name="_xsrf" value="abc">',
        '<input name="_xsrf" type="hidden" value="abc"/>',
        '<input value="abc" type="hidden" name="_xsrf" />',
    ],
)
def test_a_form_s_token_is_found_in_any_order(field: str) -> None:
    assert Visitor("http://127.0.0.1:1/").xsrf_token(page(f"<form>{field}</form>")) == "abc"


def test_a_relative_redirect_is_made_absolute() -> None:
    headers = Message()
    headers["Location"] = "/hub/home"
    reply = Reply("http://127.0.0.1:1/hub/login", 302, headers, b"")
    assert reply.location == "http://127.0.0.1:1/hub/home"


def test_waiting_in_vain_names_what_was_waited_for() -> None:
    with pytest.raises(TooLate, match="the moon"):
        until(lambda: None, "the moon", timeout=0)


def test_cpu_and_memory_are_read_of_this_process() -> None:
    assert processes.cpu_seconds(os.getpid()) > 0
    assert processes.pss(os.getpid()) > 1_000_000


@pytest.mark.real
def test_the_cpu_of_a_tree_counts_children_that_have_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    wait = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert processes.tree_cpu_seconds(parent.pid) >= 0.25 + processes.cpu_seconds(parent.pid)


@pytest.mark.real
def test_a_process_is_found_by_directory_and_environment_and_ended(tmp_path: Path) -> None:
    wait = "import sys; sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", wait], cwd=tmp_path, env={"MARK": "x"}, stdin=subprocess.PIPE
    )
    with child:
        until(lambda: processes.environment(child.pid).get("MARK") == "x", "the environment")
        assert processes.find(lambda pid: processes.works_below(pid, tmp_path)) == [child.pid]
        assert child.pid in processes.tree(os.getpid())
        processes.end([child.pid])
        assert not processes.is_alive(child.pid)


@pytest.mark.real
def test_a_postgres_database_is_fresh(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert rows == (0,)
