"""The database that every run begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.database import Template, open_template


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    with open_template(3) as made:
        yield made
