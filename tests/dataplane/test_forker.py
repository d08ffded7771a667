"""When a template that has ended is replaced; without a process: nobody has its id."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

from carrel.dataplane.forker import Forker
from carrel.dataplane.template import Template
from carrel.lib.clock import SystemClock
from tests.dataplane.wired import NOBODY

pytestmark = pytest.mark.real


class Templates:
    """Starts templates, and ends them."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []

    def start(self) -> Template:
        mine, its = socket.socketpair()
        self.ends.append(its)
        return Template(NOBODY, mine)


@pytest.fixture
def templates() -> Iterator[Templates]:
    templates = Templates()
    yield templates
    for end in templates.ends:
        end.close()


def _forker(templates: Templates) -> Forker:
    return Forker(templates.start(), templates.start, logging.getLogger("test"), SystemClock())


async def test_one_that_ends_is_replaced(templates: Templates) -> None:
    forker = _forker(templates)
    forker.start()
    templates.ends[0].close()
    async with asyncio.timeout(20):
        while len(templates.ends) < 2:
            await asyncio.sleep(0.01)
    forker.retire()
    await forker.close()


async def test_one_that_ends_when_all_ends_is_not(templates: Templates) -> None:
    forker = _forker(templates)
    forker.start()
    forker.retire()
    templates.ends[0].close()
    for _ in range(10):
        # The loop looks at descriptors once in each turn.
        await asyncio.sleep(0)
    assert not forker.replaced
    await forker.close()
    assert len(templates.ends) == 1
