"""A migrated database to copy; and the conformance suite's assertions are rewritten like any test's."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore

pytest.register_assert_rewrite(
    "carrel.testing.conformance.store",
    "carrel.testing.conformance.store_people",
    "carrel.testing.conformance.store_rights",
    "carrel.testing.conformance.store_servers",
)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: copying it is twenty times faster than making it."""
    directory = tmp_path_factory.mktemp("migrated")

    async def make() -> None:
        store = SqlStore("sqlite:///c.sqlite", directory=directory, clock=SystemClock())
        await store.open()
        await store.close()

    asyncio.run(make())
    return directory / "c.sqlite"


@pytest.fixture
def empty_file(migrated_file: Path, tmp_path: Path) -> Path:
    """A database file of this test alone."""
    return Path(shutil.copy(migrated_file, tmp_path / "c.sqlite"))
