"""A fresh user for each visit, without any log-in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import start_use_stop, trial_config, who
from tests.rigs.hub import HubProcess

PLUGIN = "jupyterhub-tmpauthenticator"
BACK_END = "none"
pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("tmp")
    config = "c.JupyterHub.authenticator_class = 'tmp'\nc.Authenticator.allow_all = True\n"
    with HubProcess(carrel_with_plugins(), directory, config + trial_config(directory)) as running:
        yield running


def test_a_visit_of_the_home_page_signs_in_as_somebody_new(hub: HubProcess) -> None:
    """Whoever opens the hub is signed in at once under a name of their own, and has a server to use."""
    first, second = hub.visitor(), hub.visitor()
    for visitor in (first, second):
        assert visitor.follow("hub/home").status == 200
    names = {who(first), who(second)}
    assert len(names) == 2
    assert all(UUID.fullmatch(name) for name in names)
    start_use_stop(hub, first, who(first))


def test_the_log_in_page_makes_somebody_new_of_whoever_visits_it(hub: HubProcess) -> None:
    """/hub/tmplogin signs out whoever was there and in as somebody new; the old cookie's owner is another."""
    visitor = hub.visitor()
    visitor.follow("hub/home")
    before = who(visitor)
    visitor.follow("hub/tmplogin")
    assert UUID.fullmatch(who(visitor))
    assert who(visitor) != before
