"""What `make bench-proxy` measures, by its arguments and by what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.proxy.__main__ import make_plan
from bench.proxy.loads import QUICK
from bench.proxy.rounds import Plan
from bench.proxy.systems import HAProxy, Nginx, RestProxy, Setup

HERE = RestProxy("carrel", "ours", ("/bin/sh",), 0)
ABSENT = RestProxy("chp", "theirs", ("/nowhere/chp",), 0)


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave nothing on the PATH but a program of wrk's name."""
    wrk = tmp_path / "wrk"
    wrk.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def plan(*only: str) -> Plan:
    return make_plan([HERE], only, QUICK)[0]


def test_without_names_everything_is_measured() -> None:
    assert plan().transports == ("http", "https")
    assert {"get", "websocket", "download", "upload", "add-route", "restart", "memory"} == plan().loads


def test_names_of_one_kind_leave_the_other_kinds_whole() -> None:
    assert plan("get", "upload") == Plan((HERE,), frozenset({"get", "upload"}), ("http", "https"), QUICK)
    assert plan("https", "carrel").loads == plan().loads
    assert plan("https", "carrel").transports == ("https",)
    assert plan("nginx").systems == ()


def test_what_is_not_installed_is_left_out_and_told(path: Path) -> None:
    (path / "wrk").unlink()
    made, left_out = make_plan([HERE, ABSENT], [], QUICK)
    assert made.systems == (HERE,)
    assert made.loads == plan().loads
    assert "get" not in made.loads
    assert left_out == ["theirs: /nowhere/chp is not installed", "get: wrk is not installed"]


def test_what_was_not_asked_for_is_not_missed(path: Path) -> None:
    (path / "wrk").unlink()
    assert make_plan([HERE, ABSENT], ["carrel", "memory"], QUICK)[1] == []


def test_each_user_has_a_route_and_the_servers_share_them(tmp_path: Path) -> None:
    setup = Setup(tmp_path, 8000, 8001, (9001, 9002), 3)
    assert setup.routes() == {"/user/user-0": 9001, "/user/user-1": 9002, "/user/user-2": 9001}
    Nginx().command(setup)
    HAProxy().command(setup)
    assert (tmp_path / "nginx.conf").read_text().count("location /user/user-") == 3
    assert (tmp_path / "routes.map").read_text().splitlines()[2] == "/user/user-2/ behind-9001"
