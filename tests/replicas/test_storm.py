"""Two minutes of `make replicas`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replicas.storm import storm
from tests.rigs.needs import need
from tests.rigs.postgres import PostgresServer, find_binaries


@pytest.mark.real
@pytest.mark.timeout(300)
def test_three_hubs_in_a_storm_lose_double_and_orphan_nothing(tmp_path: Path) -> None:
    binaries = find_binaries()
    need(binaries, "PostgreSQL's server")
    assert binaries is not None
    database = PostgresServer(binaries)
    try:
        # Its own: others must not be cut off by its restarts.
        database.start()
        found = storm(tmp_path, database, database.create_database(), seconds=120)
    finally:
        database.stop()
    print(found)
    assert found.kills >= 8
    assert found.restarts >= 2
    assert found.problems == []
