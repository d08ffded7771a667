"""Looking at services in the background: all at once, patiently, with a word only when something changes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from carrel.domain.services import Service
from carrel.lifecycle.service_checks import ServiceChecks, answers
from carrel.testing.hub import TrialHub, open_test_hub


class Town:
    """Which URLs answer, and how many looks there were at most at once."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.looks: list[str] = []
        self.most = 0
        self._now = 0

    async def look(self, url: str) -> bool:
        self._now += 1
        self.most = max(self.most, self._now)
        self.looks.append(url)
        await asyncio.sleep(0)
        self._now -= 1
        return url in self.open


async def _add(hub: TrialHub, name: str, **fields: object) -> None:
    async with hub.ctx.store.write() as tx:
        await tx.services.put(Service(0, name, url=f"http://{name}:1", **fields))  # type: ignore[arg-type]


async def test_silence_is_told_of_once_and_after_its_time_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "carrel.services")
    town = Town()
    async with open_test_hub(work=False, service_check_interval=60.0) as hub:
        checks = ServiceChecks(hub.ctx, town.look)
        await _add(hub, "board", timeout=30)
        await checks.look()
        assert town.looks == ["http://board:1/services/board/"]
        await hub.clock.advance(29)
        await checks.look()
        assert "does not answer" not in caplog.text
        await hub.clock.advance(1)
        for _ in range(3):
            await checks.look()
        assert caplog.text.count("External service board does not answer at http://board:1") == 1
        town.open.add("http://board:1/services/board/")
        for _ in range(3):
            await checks.look()
        assert caplog.text.count("External service board answers at http://board:1") == 1
        town.open.clear()
        await checks.look()
        assert caplog.text.count("does not answer") == 2


async def test_all_are_looked_at_at_once_and_not_too_many(caplog: pytest.LogCaptureFixture) -> None:
    town = Town()
    async with open_test_hub(work=False) as hub:
        for number in range(50):
            await _add(hub, f"s{number}")
        await ServiceChecks(hub.ctx, town.look).look()
    assert len(town.looks) == 50
    assert town.most == 20


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/"])
async def test_what_does_not_answer_is_no_error(url: str) -> None:
    assert await answers(url) is False
