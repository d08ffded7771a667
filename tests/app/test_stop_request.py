from __future__ import annotations

import asyncio

import pytest

from carrel.app.lifespan import StopRequest
from carrel.domain.events import RightsChanged, ShutdownWanted


async def test_the_api_ends_the_hub_after_its_answer() -> None:
    request = StopRequest()
    request.heed(RightsChanged(1))
    ended = asyncio.ensure_future(request.wait())
    await asyncio.sleep(0)
    assert request.by_api is None
    request.heed(ShutdownWanted(proxy=True))
    await asyncio.sleep(0)
    assert not ended.done()
    await ended
    assert request.name == "the API"


@pytest.mark.parametrize(
    ("by_api", "at_terminal", "wanted", "setting", "ends"),
    [
        (False, False, None, None, False),
        (False, True, None, None, True),
        (False, False, None, True, True),
        (False, True, None, False, False),
        (True, False, None, None, True),
        (True, False, None, False, False),
        (True, False, True, False, True),
        (True, False, False, True, False),
    ],
)
async def test_what_ends_with_the_hub(
    by_api: bool, at_terminal: bool, wanted: bool | None, setting: bool | None, ends: bool
) -> None:
    request = StopRequest()
    request.at_terminal = at_terminal
    request.by_api = ShutdownWanted(wanted) if by_api else None
    assert request.ends(wanted, setting, shared=False) is ends


@pytest.mark.parametrize(
    ("wanted", "setting", "ends"), [(None, None, False), (True, None, True), (None, True, True)]
)
async def test_what_other_hubs_go_on_with_ends_only_when_it_is_said(
    wanted: bool | None, setting: bool | None, ends: bool
) -> None:
    request = StopRequest()
    request.by_api = ShutdownWanted(wanted)
    assert request.ends(wanted, setting, shared=True) is ends
