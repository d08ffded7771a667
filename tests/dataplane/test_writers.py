"""Numbered changes: what is applied, what is refused, and that nothing goes missing unnoticed."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from carrel.dataplane.control import Control, Status
from carrel.dataplane.control_server import Call
from carrel.dataplane.journal import decode
from carrel.dataplane.metrics import Metrics
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.storage import RouteFile
from carrel.dataplane.writers import Mark
from carrel.testing.clock import FakeClock
from tests.dataplane.harness import Proxy, proxy

TARGET = {"target": "http://127.0.0.1:1"}


class Api:
    """The API of a table, asked without a socket."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        status = Status("0", 1, "http://h", 0)
        self._control = Control(table, "", lambda: status, lambda: None, Metrics())

    def call(self, method: str, spec: str = "", body: object = None, change: str = "") -> tuple[int, str]:
        payload = b"" if body is None else msgspec.json.encode(body)
        reply = self._control.answer(Call(method, f"/api/routes{spec}", body=payload, change=change))
        return reply.status, reply.body.decode()

    def put(self, change: str, *specs: str) -> int:
        return self.call("PUT", "", {"routes": dict.fromkeys(specs, TARGET)}, change)[0]

    def add(self, change: str, spec: str) -> int:
        return self.call("POST", spec, TARGET, change)[0]

    def delete(self, change: str, spec: str) -> int:
        return self.call("DELETE", spec, change=change)[0]

    def specs(self) -> set[str]:
        return {route.spec for route in self.table.all()}


@pytest.fixture
def api() -> Api:
    return Api(RouteTable(FakeClock()))


def test_changes_in_their_order_are_made(api: Api) -> None:
    assert api.put("hub 5", "/a") == 204
    assert api.add("hub 6", "/b") == 201
    assert api.delete("hub 7", "/a") == 204
    assert api.delete("hub 8", "/a") == 404
    assert api.add("hub 9", "/c") == 201
    assert api.specs() == {"/b", "/c"}


def test_a_repeated_change_is_made_again(api: Api) -> None:
    assert [api.put("hub 1", "/a") for _ in range(2)] == [204, 204]
    assert [api.add("hub 2", "/b") for _ in range(2)] == [201, 201]
    assert [api.delete("hub 3", "/a") for _ in range(2)] == [204, 404]
    assert api.add("hub 4", "/c") == 201
    assert api.specs() == {"/b", "/c"}


@pytest.mark.parametrize("number", [0, 1, 2, 5, 10**17])
def test_a_change_out_of_order_changes_nothing_and_hears_what_was_expected(api: Api, number: int) -> None:
    api.put("hub 2", "/a")
    api.add("hub 3", "/b")
    for method, spec, body in (("POST", "/c", TARGET), ("DELETE", "/a", None)):
        status, text = api.call(method, spec, body, f"hub {number}")
        assert status == 412
        assert "expected 4 from hub" in text
        assert str(number) in text
    assert api.specs() == {"/a", "/b"}
    assert api.add("hub 4", "/c") == 201


def test_a_writer_that_is_not_known_must_send_a_snapshot(api: Api) -> None:
    status, text = api.call("POST", "/a", TARGET, "new 1")
    assert status == 412
    assert "snapshot from new" in text
    assert api.put("new 2", "/b") == 204
    assert api.add("new 3", "/a") == 201


def test_a_snapshot_that_comes_too_late_is_refused(api: Api) -> None:
    api.put("hub 1", "/a")
    api.add("hub 2", "/b")
    assert api.put("hub 1", "/a") == 412
    assert api.specs() == {"/a", "/b"}
    assert api.put("hub 9", "/c") == 204
    assert api.add("hub 10", "/d") == 201


def test_writers_do_not_disturb_each_other_nor_callers_without_a_number(api: Api) -> None:
    api.put("one 1", "/a")
    api.put("two 1", "/a")
    for number in (2, 3, 4):
        assert api.add(f"one {number}", f"/one{number}") == 201
        assert api.add("", f"/unnumbered{number}") == 201
        assert api.add(f"two {number}", f"/two{number}") == 201
    assert len(api.specs()) == 10


def test_a_refused_change_has_no_number(api: Api) -> None:
    api.put("hub 1", "/a")
    assert api.call("POST", "/b", {}, "hub 2")[0] == 400
    assert api.call("PUT", "", {"routes": {"/b": {}}}, "hub 7")[0] == 400
    assert api.call("PUT", "/b", TARGET, "hub 7")[0] == 405
    assert api.add("hub 2", "/b") == 201


@pytest.mark.parametrize(
    "header", ["hub", "hub x", "hub -1", "hub 1.0", " 1", "hub  1", "a/b 1", "hub 1, hub 2", f"{'x' * 65} 1"]
)
def test_a_malformed_header_is_named(api: Api, header: str) -> None:
    for method, spec, body in (("POST", "/a", TARGET), ("DELETE", "/a", None), ("PUT", "", {"routes": {}})):
        status, text = api.call(method, spec, body, header)
        assert status == 400
        assert "Carrel-Change" in text
    assert api.specs() == set()


def test_the_sixteen_most_recent_writers_are_known(api: Api) -> None:
    for number in range(16):
        api.put(f"hub{number} 1", "/a")
    api.add("hub0 2", "/b")
    api.put("late 1", "/a")
    assert api.add("hub1 2", "/c") == 412
    assert api.add("hub0 3", "/c") == 201
    assert len(api.table.writers.all()) == 16


async def test_numbers_are_kept_with_the_routes(tmp_path: Path, api: Api) -> None:
    path, clock, log = tmp_path / "routes", FakeClock(), logging.getLogger("test")
    file = RouteFile(path, api.table, log, clock)
    await file.open()
    api.put("one 1", "/a")
    api.put("two 7", "/a")
    assert api.delete("one 2", "/nobody") == 404
    assert api.add("one 9", "/b") == 412
    killed = path.read_bytes()
    await file.close()
    for content in (killed, path.read_bytes()):
        assert decode(content).writers.all() == [Mark("two", 7), Mark("one", 2)]
        path.write_bytes(content)
        after = Api(RouteTable(clock))
        file = RouteFile(path, after.table, log, clock)
        await file.open()
        assert after.add("one 3", "/one") == 201
        assert after.add("two 8", "/two") == 201
        assert after.delete("two 10", "/a") == 412
        await file.close()


@pytest.mark.real
async def test_a_data_plane_that_was_killed_is_in_step_when_it_has_its_file(tmp_path: Path) -> None:
    async def add(running: Proxy, change: str) -> int:
        return (await running.api("POST", "/api/routes/a", TARGET, change=change)).status

    storage = ("--storage", str(tmp_path / "routes"))
    async with proxy(tmp_path, *storage) as first:
        assert (await first.api("PUT", "/api/routes", {"routes": {}}, change="hub 1")).status == 204
        assert await add(first, "hub 2") == 201
        first.process.kill()
        await first.process.wait()
    async with proxy(tmp_path, *storage) as second:
        assert await add(second, "hub 3") == 201
    (tmp_path / "routes").unlink()
    async with proxy(tmp_path, *storage) as third:
        assert await add(third, "hub 4") == 412
        assert await add(third, "hub 4\r\nCarrel-Change: hub 5") == 400
