"""What is kept of pages, for how long, and who waits for whom."""

from __future__ import annotations

import asyncio

import pytest

from carrel.dataplane.fetch import Page
from carrel.dataplane.page_cache import PageCache


class Hub:
    """Gives a page when told to."""

    def __init__(self, body: bytes | None = b"page") -> None:
        self.page = None if body is None else Page(body, "text/html", ())
        self.reads = 0
        self.open = asyncio.Event()

    async def read(self) -> Page | None:
        self.reads += 1
        await self.open.wait()
        return self.page


class Now:
    """A clock that stands."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


async def _keep(cache: PageCache, key: str, body: bytes | None = b"page") -> None:
    hub = Hub(body)
    hub.open.set()
    assert await cache.load(key, hub.read) is hub.page


async def _started(hub: Hub) -> None:
    async with asyncio.timeout(5):
        while not hub.reads:
            await asyncio.sleep(0)


async def test_all_who_come_meanwhile_wait_for_one_load(now: Now) -> None:
    cache, hub = PageCache(5, now), Hub()
    waiting = [asyncio.ensure_future(cache.load("a", hub.read)) for _ in range(100)]
    await _started(hub)
    waiting[0].cancel()
    await asyncio.sleep(0)
    hub.open.set()
    pages = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(pages[0], asyncio.CancelledError)
    assert pages[1:] == [hub.page] * 99
    assert hub.reads == 1


@pytest.mark.parametrize("body", [b"page", None])
async def test_who_finds_a_load_under_way_does_not_begin_another_when_it_ends_first(
    now: Now, body: bytes | None
) -> None:
    cache, late = PageCache(5, now), Hub()
    late.open.set()
    assert cache.find("a") is None
    await _keep(cache, "a", body)
    page = await cache.load("a", late.read)
    assert (page and page.body) == body
    assert late.reads == 0


@pytest.mark.parametrize("body", [b"page", None])
async def test_it_is_kept_for_so_long(now: Now, body: bytes | None) -> None:
    cache = PageCache(5, now)
    await _keep(cache, "a", body)
    now.seconds += 4.9
    kept = cache.find("a")
    assert kept is not None
    assert (kept.page and kept.page.body) == body
    now.seconds += 0.1
    assert cache.find("a") is None
    assert cache.find("b") is None


async def test_nothing_is_kept_for_no_time(now: Now) -> None:
    cache = PageCache(0, now)
    await _keep(cache, "a")
    assert cache.find("a") is None


async def test_the_oldest_go_when_there_are_too_many(now: Now) -> None:
    cache = PageCache(5, now, most_pages=3)
    for key, seconds in (("a", 1), ("b", 0), ("c", 4), ("a", 0), ("d", 0)):
        await _keep(cache, key)
        now.seconds += seconds
    assert [cache.find(key) is not None for key in ("a", "b", "c", "d")] == [True, False, True, True]


async def test_the_oldest_go_when_they_are_too_large(now: Now) -> None:
    cache = PageCache(5, now, most_bytes=100)
    for key, seconds in (("a", 1), ("b", 4), ("a", 0)):
        await _keep(cache, key, bytes(50))
        now.seconds += seconds
    assert cache.find("b") is not None
    await _keep(cache, "c", bytes(1))
    assert [cache.find(key) is not None for key in ("a", "b", "c")] == [True, False, True]
    await _keep(cache, "d", bytes(101))
    assert [cache.find(key) is not None for key in ("a", "b", "c", "d")] == [False] * 4


async def test_only_so_many_loads_at_once(now: Now) -> None:
    cache, hub = PageCache(5, now, at_once=2), Hub()
    waiting = [asyncio.ensure_future(cache.load(key, hub.read)) for key in ("a", "b")]
    await _started(hub)
    assert [cache.may_load(key) for key in ("a", "b", "c")] == [True, True, False]
    hub.open.set()
    await asyncio.gather(*waiting)
    assert cache.may_load("c")


async def test_those_who_were_let_in_the_same_moment_load_no_more_than_that(now: Now) -> None:
    cache, hub = PageCache(5, now, at_once=2), Hub()
    keys = ("a", "b", "c", "a")
    assert all(map(cache.may_load, keys))
    waiting = [asyncio.ensure_future(cache.load(key, hub.read)) for key in keys]
    await _started(hub)
    hub.open.set()
    assert await asyncio.gather(*waiting) == [hub.page, hub.page, None, hub.page]
    assert hub.reads == 2
