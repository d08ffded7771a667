"""SQLite, in a file and in memory, is a Store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore
from carrel.testing.conformance.store import SnapshotConformance, StoreConformance


class TestFile(StoreConformance, SnapshotConformance):
    @pytest.fixture
    async def store(self, empty_file: Path) -> AsyncIterator[SqlStore]:
        store = SqlStore(f"sqlite:///{empty_file.name}", directory=empty_file.parent, clock=SystemClock())
        await store.open()
        yield store
        await store.close()


class TestMemory(StoreConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqlStore]:
        store = SqlStore("sqlite://", directory=tmp_path, clock=SystemClock())
        await store.open()
        yield store
        await store.close()
