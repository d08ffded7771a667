from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rigs.docker_engine import Engine, docker_engine


@pytest.fixture(scope="package")
def engine() -> Iterator[Engine]:
    with docker_engine() as engine:
        yield engine


@pytest.fixture
def clean(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.clear()
