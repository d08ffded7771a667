from __future__ import annotations

import logging
from pathlib import Path

import pytest

from carrel.dataplane.routes import RouteTable
from carrel.dataplane.storage import RouteFile, TornFileError, decode, encode, write_atomically
from carrel.dataplane.targets import parse_target
from carrel.lib.clock import SystemClock

LOG = logging.getLogger("test")


def _table() -> RouteTable:
    table = RouteTable(SystemClock())
    table.add("/user/a%2Fb", {"target": "http://127.0.0.1:1", "user": "a/b"})
    table.add("/", {"target": "http://127.0.0.1:2"})
    return table


def test_routes_survive_the_file(tmp_path: Path) -> None:
    before, after = _table(), RouteTable(SystemClock())
    write_atomically(tmp_path / "routes", encode(before.all()))
    RouteFile(tmp_path / "routes", after, LOG).load()
    assert {r.spec: (r.data, r.last_activity) for r in after.all()} == {
        r.spec: (r.data, r.last_activity) for r in before.all()
    }
    assert [path.name for path in tmp_path.iterdir()] == ["routes"]


def test_every_torn_or_altered_file_is_detected() -> None:
    content = encode(_table().all())
    for size in range(len(content)):
        with pytest.raises(TornFileError):
            decode(content[:size])
    with pytest.raises(TornFileError):
        decode(content.replace(b"127.0.0.1", b"127.0.0.2", 1))
    with pytest.raises(TornFileError):
        decode(content + b" ")


def test_a_damaged_file_is_an_empty_one_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "routes").write_bytes(encode(_table().all())[:-5])
    table = RouteTable(SystemClock())
    RouteFile(tmp_path / "routes", table, LOG).load()
    assert len(table) == 0
    assert "damaged" in caplog.text


def test_a_given_default_target_is_not_overridden(tmp_path: Path) -> None:
    write_atomically(tmp_path / "routes", encode(_table().all()))
    table = RouteTable(SystemClock(), parse_target("http://127.0.0.1:9"))
    RouteFile(tmp_path / "routes", table, LOG).load()
    found = table.find(b"/x")
    assert found is not None
    assert found.target.url == "http://127.0.0.1:9"
    assert len(table) == 2


async def test_the_file_follows_the_table(tmp_path: Path) -> None:
    table = _table()
    file = RouteFile(tmp_path / "routes", table, LOG, delay=0.0)
    file.start()
    table.remove("/")
    await file.close()
    assert [route.spec for route in decode((tmp_path / "routes").read_bytes())] == ["/user/a%2Fb"]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        RouteFile(tmp_path / "missing" / "routes", RouteTable(SystemClock()), LOG).load()
