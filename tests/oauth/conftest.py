"""A whole hub for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from carrel.testing.hub import TrialHub, open_test_hub


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A running hub with the users ada and root, who is an admin."""
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        await hub.make_user("root", admin=True)
        yield hub
