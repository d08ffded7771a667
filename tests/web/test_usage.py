from __future__ import annotations

from pathlib import Path

import pytest

from carrel.spawners.reports import Usage
from carrel.web.usage import usage_lines
from tests.http.hub import open_hub
from tests.web.test_server_pages import RUNNING


@pytest.mark.parametrize(
    ("usage", "used", "refused"),
    [
        (Usage(), [], []),
        (Usage(memory=3 * 2**30), ["3 GiB of memory"], []),
        (
            Usage(memory=100 * 2**20, memory_limit=2**30, processes=7, process_limit=50),
            ["100 MiB of 1 GiB of memory", "7 of 50 processes and threads"],
            [],
        ),
        (
            Usage(memory=1023, memory_limit=4096, killed=1),
            ["1023 B of 4 KiB of memory"],
            ["A program in it was killed: it needed more memory than the server may use."],
        ),
        (Usage(killed=2), [], ["2 programs in it were killed: they needed memory and there was none."]),
        (
            Usage(refused=5),
            [],
            ["Programs in it could not start more processes: the server has as many as it may have, or had."],
        ),
    ],
)
def test_usage_in_words(usage: Usage, used: list[str], refused: list[str]) -> None:
    assert usage_lines(usage) == (used, refused)


async def test_the_home_page_says_it_of_each_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_hub(tmp_path, allow_named_servers=True) as hub, hub.browser() as browser:

        async def usage(self: object) -> Usage:
            return Usage(memory=2**20, killed=1, memory_limit=2**21)

        monkeypatch.setattr(hub.ctx.spawner_class, "usage", usage)
        await browser.log_in()
        await hub.server("ada", **RUNNING)
        await hub.server("ada", "gpu", **RUNNING)
        html = (await browser.get("/hub/home")).text
        assert html.count("It uses 1 MiB of 2 MiB of memory.") == 2
        assert html.count("it needed more memory than the server may use") == 2
        assert "What gpu uses" in html
