"""What all suites of plug-ins share: their environment, and the page about them (see table.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins import table
from tests.plugins.environment import installed, need_plugins
from tests.plugins.recorder import Recorder

OPTION = "--plug-in-table"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the page; pytest knows it when a path in tests/plugins is given."""
    parser.addoption(OPTION, type=Path, metavar="FILE", help="write what came of the plug-ins' tests to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Listen to results, when they are to be written down."""
    if config.getoption(OPTION, None):
        config.pluginmanager.register(Recorder(), "plug-in-recorder")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down what came of the tests, and the page."""
    recorder = session.config.pluginmanager.get_plugin("plug-in-recorder")
    if recorder is None:
        return
    outcomes = recorder.merge(table.load_results(), table.suites(), installed())
    table.save_results(outcomes)
    page = table.page(table.suites(), outcomes, table.required())
    Path(session.config.getoption(OPTION)).write_text(page)


@pytest.fixture(scope="module", autouse=True)
def _plugins_are_here(request: pytest.FixtureRequest) -> None:
    """Skip each suite when the plug-ins are not installed."""
    if hasattr(request.module, "PLUGIN"):
        need_plugins()
