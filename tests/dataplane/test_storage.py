"""The file follows the table, whatever happens to the process, to the file and to the disk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import resource
import stat
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.dataplane import storage
from carrel.dataplane.journal import decode
from carrel.dataplane.routes import RouteTable
from carrel.dataplane.storage import RouteFile
from carrel.dataplane.targets import parse_target
from carrel.testing.clock import FakeClock

LOG = logging.getLogger("test")
Content = dict[str, tuple[object, float]]
#: A method of the table and what it is called with.
Step = tuple[Any, ...]


def target(port: int) -> dict[str, object]:
    return {"target": f"http://127.0.0.1:{port}"}


def content_of(table: RouteTable) -> Content:
    return {route.escaped: (route.data, route.last_activity) for route in table.all()}


def stored(path: Path) -> Content:
    found = decode(path.read_bytes())
    assert not found.torn
    return {spec: (route.data, route.last_activity) for spec, route in found.routes.items()}


def take(table: RouteTable, step: Step) -> None:
    getattr(table, step[0])(*step[1:])


@contextlib.asynccontextmanager
async def opened(path: Path, clock: FakeClock, default: str | None = None) -> AsyncIterator[RouteTable]:
    """Open the file with a table that holds nothing but the default."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    table = RouteTable(clock, None if default is None else parse_target(default))
    file = RouteFile(path, table, LOG, clock)
    await file.open()
    try:
        yield table
    finally:
        await file.close()


async def at_rest(clock: FakeClock) -> None:
    """Return when the file is replaced, if that was due: the only thread has nothing more to do."""
    for _ in range(3):
        await clock.settle()
        await asyncio.to_thread(os.getpid)
    await clock.settle()


@contextlib.contextmanager
def full_disk(path: Path, left: int) -> Iterator[None]:
    """Let no file become larger than this one is now and a few bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + left, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "routes"


SPECS = st.sampled_from(["/", "/user/ada", "/user/bea", "/user/a%2Fb", "/user/j%C3%B6rg", "/user/bea/lab"])
DATA = st.integers(1, 3).map(target)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), SPECS, DATA),
        st.tuples(st.just("remove"), SPECS),
        st.tuples(st.just("replace"), st.dictionaries(SPECS, DATA, max_size=4)),
    ),
    max_size=8,
)


async def test_every_change_is_in_the_file_at_once(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as table:
        for step in (
            ("add", "/user/a%2Fb", {**target(1), "user": "a/b", "deep": {"list": [None, True]}}),
            ("add", "/", target(2)),
            ("remove", "/user/a%2Fb/"),
            ("replace", {"/": target(2), "/new": target(3)}),
        ):
            clock.jump(1)
            before = path.stat().st_size
            take(table, step)
            assert path.stat().st_size > before
            assert stored(path) == content_of(table)


#: How many examples; the many take a while.
EXAMPLES = pytest.mark.parametrize("examples", [40, pytest.param(200, marks=pytest.mark.seeds)])


@EXAMPLES
def test_any_cut_gives_the_table_after_the_last_complete_change(examples: int) -> None:
    async def check(path: Path, before: list[Step], steps: list[Step], data: st.DataObject) -> None:
        clock = FakeClock()
        async with opened(path, clock) as table:
            for step in before:
                take(table, step)
        async with opened(path, clock) as table:
            ends = [(path.stat().st_size, content_of(table))]
            for step in steps:
                clock.jump(1)
                take(table, step)
                ends.append((path.stat().st_size, content_of(table)))
            full = path.read_bytes()
        size = data.draw(st.integers(ends[0][0], len(full)), label="size")
        path.write_bytes(full[:size])
        async with opened(path, clock) as table:
            assert content_of(table) == next(known for end, known in reversed(ends) if end <= size)
            table.add("/after", target(4))
            assert stored(path) == content_of(table)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(before=STEPS, steps=STEPS, data=st.data())
    def holds(before: list[Step], steps: list[Step], data: st.DataObject) -> None:
        with TemporaryDirectory() as directory:
            asyncio.run(check(Path(directory) / "routes", before, steps, data))

    holds()


@EXAMPLES
def test_changes_while_the_file_is_replaced_are_not_lost(examples: int) -> None:
    async def check(path: Path, steps: list[tuple[list[Step], int]]) -> None:
        clock = FakeClock()
        async with opened(path, clock) as table:
            for group, turns in steps:
                for step in group:
                    clock.jump(1)
                    take(table, step)
                    assert stored(path) == content_of(table)
                for _ in range(turns):
                    await asyncio.sleep(0)
                    assert stored(path) == content_of(table)
            await at_rest(clock)
            assert stored(path) == content_of(table)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(steps=st.lists(st.tuples(STEPS, st.integers(0, 5)), max_size=6))
    def holds(steps: list[tuple[list[Step], int]]) -> None:
        with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            patch.setattr(storage, "_MANY", 1)
            patch.setattr(storage, "_SLICE", 1)
            asyncio.run(check(Path(directory) / "routes", steps))

    holds()


async def test_many_changes_become_a_snapshot(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as table:
        for _ in range(600):
            table.add("/user/ada", target(1))
            table.remove("/user/ada")
        long = path.stat().st_size
        await at_rest(clock)
        assert path.stat().st_size < long / 100
        with path.open("rb") as held:
            table.add("/user/ada", target(2))
            await at_rest(clock)
            assert os.path.samestat(os.fstat(held.fileno()), path.stat())
        assert stored(path) == content_of(table)


async def test_changes_become_a_snapshot_at_the_next_start(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as table:
        table.add("/user/ada", target(1))
        killed = path.read_bytes()
    path.write_bytes(killed)
    async with opened(path, clock) as table:
        assert decode(path.read_bytes()).entries == 1
        await at_rest(clock)
        assert decode(path.read_bytes()).entries == 0
        assert stored(path) == content_of(table)


async def test_activity_is_stored_every_minute_in_which_there_was_some(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as table:
        table.add("/user/ada", target(1))
        route = table.all()[0]
        route.last_activity = clock.now() + 30
        await clock.advance(60)
        await at_rest(clock)
        assert stored(path)["/user/ada"][1] == route.last_activity
        # As long as it is open, no other file is taken for it.
        with path.open("rb") as held:
            await clock.advance(300)
            await at_rest(clock)
            assert os.path.samestat(os.fstat(held.fileno()), path.stat())


async def test_the_end_stores_activity(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as table:
        table.add("/user/ada", target(1))
        table.all()[0].last_activity = moment = clock.now() + 10
    async with opened(path, clock) as table:
        assert table.all()[0].last_activity == moment
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_change_cut_off_by_a_crash_is_dropped_with_a_warning(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path, clock) as table:
        table.add("/user/ada", target(1))
        whole = content_of(table)
        table.add("/user/bea", target(2))
        content = path.read_bytes()
    path.write_bytes(content[:-3])
    async with opened(path, clock) as table:
        assert content_of(table) == whole
    assert str(path) in caplog.text
    assert "dropped" in caplog.text


@pytest.mark.parametrize("content", [b"", b"something else\n", b'carrel-routes-2 0 2\n{"number":0}'])
async def test_a_damaged_file_is_set_aside_and_counts_as_empty(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path.write_bytes(content)
    async with opened(path, clock) as table:
        assert table.all() == []
        table.add("/user/ada", target(1))
        assert stored(path) == content_of(table)
    (warning,) = caplog.messages
    assert str(path) in warning
    assert "damaged" in warning
    kept = path.with_name("routes.damaged")
    assert str(kept) in warning
    assert kept.read_bytes() == content


async def test_a_route_that_cannot_be_is_damage(path: Path, clock: FakeClock) -> None:
    body = msgspec.json.encode([{"spec": "/a", "data": {"target": "ftp://h"}, "last_activity": 1.0}])
    path.write_bytes(b"carrel-routes-1 %b\n%b" % (hashlib.sha256(body).hexdigest().encode(), body))
    async with opened(path, clock) as table:
        assert table.all() == []
    assert path.with_name("routes.damaged").exists()


async def test_a_file_of_the_first_format_becomes_one_of_today(path: Path, clock: FakeClock) -> None:
    body = msgspec.json.encode([{"spec": "/a", "data": target(1), "last_activity": 1.0}])
    path.write_bytes(b"carrel-routes-1 %b\n%b" % (hashlib.sha256(body).hexdigest().encode(), body))
    async with opened(path, clock) as table:
        assert content_of(table) == {"/a": (target(1), 1.0)}
        table.add("/b", target(2))
        assert stored(path) == content_of(table)


async def test_a_given_default_target_is_not_overridden(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock, "http://127.0.0.1:8") as table:
        table.add("/user/ada", target(1))
    async with opened(path, clock, "http://127.0.0.1:9") as table:
        found = table.find(b"/x")
        assert found is not None
        assert found.target.url == "http://127.0.0.1:9"
        assert len(table) == 2


@pytest.mark.parametrize("left", [0, 10])
async def test_a_full_disk_is_reported_once_and_caught_up_with(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, left: int
) -> None:
    async with opened(path, clock) as table:
        table.add("/user/ada", target(1))
    async with opened(path, clock) as table:
        before = stored(path)
        with full_disk(path, left):
            table.add("/user/bea", target(2))
            table.add("/user/carl", target(2))
            await clock.advance(30)
            await at_rest(clock)
            assert len(table) == 3
        assert stored(path) == before
        (error,) = caplog.messages
        assert str(path) in error
        table.remove("/user/ada")
        await clock.advance(10)
        await at_rest(clock)
        assert stored(path) == content_of(table)
        assert len(caplog.messages) == 2
        table.remove("/user/bea")
        assert stored(path) == content_of(table)


async def test_where_no_change_finds_room_a_snapshot_may(path: Path, clock: FakeClock) -> None:
    async with opened(path, clock) as table:
        table.add("/user/ada", target(1))
        with full_disk(path, 10):
            table.remove("/user/ada")
            await at_rest(clock)
            assert stored(path) == content_of(table) == {}


async def test_a_directory_that_is_not_there_is_an_error(path: Path, clock: FakeClock) -> None:
    with pytest.raises(OSError, match="missing"):
        await RouteFile(path.parent / "missing" / "routes", RouteTable(clock), LOG, clock).open()
