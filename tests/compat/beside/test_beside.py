"""JupyterHub 6.1 and Carrel, on one configuration, give the same answers, but for a table of differences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compat.beside.asking import Case
from tests.compat.beside.cases import CASES
from tests.compat.beside.comparison import Comparison
from tests.compat.beside.differences import ROWS
from tests.compat.beside.hubs import open_pair
from tests.rigs.needs import need
from tests.rigs.systems import CHP, JUPYTERHUB

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """Both hubs, started once."""
    need((JUPYTERHUB / "bin" / "jupyterhub").exists(), "JupyterHub 6.1")
    need(CHP.exists(), "configurable-http-proxy")
    with open_pair(tmp_path_factory.mktemp("beside")) as pair:
        yield Comparison(pair)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_answers_are_the_same(comparison: Comparison, case: Case) -> None:
    assert comparison.differences(case) == []


def test_every_row_of_the_table_is_needed(comparison: Comparison) -> None:
    for case in CASES:
        comparison.differences(case)
    idle = [row.what for row in ROWS if row not in comparison.used]
    assert idle == []
