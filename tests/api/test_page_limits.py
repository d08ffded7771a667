"""How long the pages of lists are, as the configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.http.hub import open_hub

PAGED = {"Accept": "application/jupyterhub-pagination+json"}


@pytest.mark.parametrize(
    ("settings", "query", "paged", "bare"),
    [
        ({}, "", 5, 5),
        ({"api_page_default_limit": 2}, "", 2, 5),
        ({"api_page_default_limit": 2, "api_page_max_limit": 3}, "", 2, 3),
        ({"api_page_default_limit": 2, "api_page_max_limit": 3}, "?limit=4", 3, 3),
        ({"api_page_max_limit": 4}, "", 4, 4),
        ({"api_page_max_limit": 1000}, "?limit=1000", 5, 5),
    ],
)
async def test_lengths(tmp_path: Path, settings: dict[str, Any], query: str, paged: int, bare: int) -> None:
    async with open_hub(tmp_path, **settings) as hub, hub.browser() as browser:
        await hub.user("root", admin=True)
        for name in ("ada", "bea", "cy", "dan"):
            await hub.user(name)
        browser.headers["Authorization"] = f"token {await hub.token('root')}"
        answer = (await browser.get(f"/hub/api/users{query}", headers=PAGED)).json()
        assert len(answer["items"]) == paged
        assert answer["_pagination"]["limit"] <= settings.get("api_page_max_limit", 200)
        assert len((await browser.get(f"/hub/api/users{query}")).json()) == bare
