"""PostgreSQL is a Store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore
from carrel.testing.conformance.store import SnapshotConformance, StoreConformance

pytestmark = pytest.mark.real


class TestPostgres(StoreConformance, SnapshotConformance):
    @pytest.fixture
    async def store(self, postgres_url: str, tmp_path: Path) -> AsyncIterator[SqlStore]:
        store = SqlStore(postgres_url, directory=tmp_path, clock=SystemClock())
        await store.open()
        yield store
        await store.close()
