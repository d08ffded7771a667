"""The functions of `jupyterhub.utils`, by JupyterHub's documented behaviour."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
from datetime import UTC, datetime, timedelta, timezone
from types import ModuleType

import pytest

from carrel.compat.imports import NAMES


@pytest.fixture(scope="module")
def utils() -> ModuleType:
    spec = importlib.util.spec_from_file_location("utils_of_plugins", NAMES / "jupyterhub" / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        (("a", "b"), "a/b"),
        (("/a/", "/b"), "/a/b"),
        (("/", "b/"), "/b/"),
        (("", "hub", "api"), "hub/api"),
        (("/", "/"), "/"),
        (("http://h:1/x/", "y"), "http://h:1/x/y"),
    ],
)
def test_paths_are_joined_by_one_slash(utils: ModuleType, pieces: tuple[str, ...], joined: str) -> None:
    assert utils.url_path_join(*pieces) == joined


async def test_anything_becomes_a_future(utils: ModuleType) -> None:
    async def later() -> str:
        return "coroutine"

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert await utils.maybe_future(pool.submit(lambda: "thread")) == "thread"
    assert await utils.maybe_future(later()) == "coroutine"
    assert await utils.maybe_future("plain") == "plain"
    assert isinstance(utils.maybe_future(None), asyncio.Future)


async def test_a_function_is_asked_until_it_says_yes(utils: ModuleType) -> None:
    asked: list[str] = []

    async def third_time(word: str) -> str:
        asked.append(word)
        return word if len(asked) == 3 else ""

    answer = await utils.exponential_backoff(third_time, "no", 0.001, 2, 0.01, 5, 0.1, "yes")
    assert (answer, asked) == ("yes", ["yes"] * 3)


async def test_what_never_says_yes_times_out_with_the_callers_words(utils: ModuleType) -> None:
    with pytest.raises(TimeoutError, match="nobody there"):
        await utils.exponential_backoff(lambda: False, "nobody there", start_wait=0.001, timeout=0.02)


def test_times_are_told_in_utc(utils: ModuleType) -> None:
    noon = datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=2)))
    assert utils.isoformat(noon) == "2026-01-31T12:00:00Z"
    assert utils.isoformat(None) is None
    assert utils.utcnow().tzinfo is UTC
    assert utils.utcnow(with_tz=False).tzinfo is None
