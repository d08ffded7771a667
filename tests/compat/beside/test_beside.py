"""JupyterHub 6.1 and Carrel, on one configuration, give the same answers, but for a table of differences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.compat.beside.asking import Case, case, post
from tests.compat.beside.cases import CASES, identity, pages, servers
from tests.compat.beside.comparison import Comparison
from tests.compat.beside.differences import ROWS
from tests.compat.beside.hubs import open_pair
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.systems import CHP, JUPYTERHUB

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


#: What has paths in its answers, asked once more of hubs that are not at the root.
BELOW = (*identity.CASES, *servers.CASES, *pages.CASES)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """Both hubs, started once."""
    yield from _compare(tmp_path_factory, "/")


@pytest.fixture(scope="module")
def below_a_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """Both hubs, started once, below a path."""
    yield from _compare(tmp_path_factory, "/the/lab/")


def _compare(paths: pytest.TempPathFactory, base_url: str) -> Iterator[Comparison]:
    need((JUPYTERHUB / "bin" / "jupyterhub").exists(), "JupyterHub 6.1")
    need(CHP.exists(), "configurable-http-proxy")
    with open_pair(paths.mktemp("beside"), base_url) as pair:
        yield Comparison(pair)


@pytest.mark.parametrize("asked", BELOW, ids=str)
def test_the_answers_are_the_same_below_a_prefix(below_a_prefix: Comparison, asked: Case) -> None:
    assert below_a_prefix.differences(asked) == []


@pytest.mark.parametrize("asked", CASES, ids=str)
def test_the_answers_are_the_same(comparison: Comparison, asked: Case) -> None:
    assert comparison.differences(asked) == []


def test_every_row_of_the_table_is_needed(comparison: Comparison, below_a_prefix: Comparison) -> None:
    for asked in CASES:
        comparison.differences(asked)
    for asked in BELOW:
        below_a_prefix.differences(asked)
    idle = [row.what for row in ROWS if row not in comparison.used | below_a_prefix.used]
    assert idle == []


def _is_gone(hub: HubProcess) -> bool:
    return not hub.belongings()


def test_both_end_with_all_that_is_theirs_when_they_are_asked_to(comparison: Comparison) -> None:
    """The last one: nobody is left to ask."""
    pair = comparison.pair
    [(theirs, ours)] = pair.play(case("the end", post("/shutdown", {"proxy": True, "servers": True})))
    assert (ours["status"], ours["json.message"]) == (theirs["status"], theirs["json.message"])
    for side in (pair.theirs, pair.ours):
        assert side.hub.wait(60) == 0
        until(partial(_is_gone, side.hub), f"all of {side.hub.system.name} to end")
