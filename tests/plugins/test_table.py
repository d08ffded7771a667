"""The page about plug-ins is about the tests that there are, and says of each what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins import table
from tests.plugins.recorder import Recorder
from tests.plugins.table import Outcome, Suite

AGAIN = "run `make plug-ins`, or `make plug-ins ARGS=tests/plugins/test_….py` for one suite"
DOCK = Suite(
    "test_dock.py",
    ("dock", "dock-extra"),
    "a harbour",
    "Ships come and go.",
    {"test_in": "A ship comes in.", "test_out": "A ship leaves."},
    ("Dock 1.0 forgets ships.",),
)


def report(test: str, outcome: str, when: str = "call", why: object = None) -> pytest.TestReport:
    node = f"tests/plugins/test_dock.py::{test}"
    return pytest.TestReport(node, ("", 0, ""), {}, outcome, why, when)  # type: ignore[arg-type]


def test_every_plugin_that_is_installed_for_the_tests_stands_on_the_page() -> None:
    text = table.PAGE.read_text()
    shown = {name for suite in table.suites() for name in suite.plugins}
    assert [name for name in table.required() if name not in shown and f"| {name} |" not in text] == []


def test_the_page_is_about_the_tests_that_there_are() -> None:
    results = table.load_results()
    assert {suite.file: set(suite.tests) for suite in table.suites()} == {
        file: set(outcome.results) for file, outcome in results.items()
    }, AGAIN
    made = table.page(table.suites(), results, table.required())
    assert table.PAGE.read_text() == made, f"python -m tests.plugins.table > {table.PAGE}"


def test_a_suite_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "test_dock.py"
    path.write_text(
        '"""Ships come\nand go."""\nPLUGIN = "dock"\nBACK_END = "a harbour"\n'
        'def test_in() -> None:\n    """A ship comes in.\n\n    Slowly."""\n'
        "def test_two_ships() -> None: ...\n"
    )
    suite = table.read_suite(path)
    assert suite is not None
    assert (suite.plugins, suite.about) == (("dock",), "Ships come and go.")
    assert suite.tests == {"test_in": "A ship comes in.", "test_two_ships": "Two ships"}


def test_a_file_without_a_plugin_is_no_suite_and_one_without_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test_dock.py"
    path.write_text('"""About."""\n')
    assert table.read_suite(path) is None
    path.write_text('PLUGIN = "dock"\n')
    with pytest.raises(ValueError, match=r"test_dock\.py needs a docstring"):
        table.read_suite(path)


def test_the_worst_of_phases_and_parameters_counts() -> None:
    recorder = Recorder()
    for phase in ("setup", "call", "teardown"):
        recorder.pytest_runtest_logreport(report("test_in[small]", "passed", phase))
    recorder.pytest_runtest_logreport(report("test_in[large]", "failed"))
    recorder.pytest_runtest_logreport(report("test_in[large]", "passed", "teardown"))
    recorder.pytest_runtest_logreport(report("test_out", "skipped", "setup", ("f", 1, "Skipped: no sea")))
    outcome = recorder.merge({}, [DOCK], {"dock": "1.0"})["test_dock.py"]
    assert outcome.results == {"test_in": "fails", "test_out": "not run: no sea"}
    assert outcome.versions == {"dock": "1.0", "dock-extra": "not installed"}


def test_a_run_of_some_tests_leaves_what_is_known_of_others() -> None:
    recorder = Recorder()
    recorder.pytest_runtest_logreport(report("test_in", "passed"))
    known = {
        "test_dock.py": Outcome({}, {"test_in": "fails", "test_out": "works", "test_gone": "works"}),
        "test_sea.py": Outcome({}, {"test_deep": "works"}),
    }
    merged = recorder.merge(known, [DOCK], {})
    assert merged["test_dock.py"].results == {"test_in": "works", "test_out": "works"}
    assert merged["test_sea.py"] == known["test_sea.py"]


def test_the_page_says_what_works_what_fails_and_what_was_not_run() -> None:
    works = table.page([DOCK], {DOCK.file: Outcome({"dock": "1.0"}, dict.fromkeys(DOCK.tests, "works"))}, [])
    assert "| 1.0<br>? | a harbour | works |" in works
    assert "- A ship leaves.\n" in works
    assert "Note: Dock 1.0 forgets ships." in works
    assert "| [dock, dock-extra](#dock-dock-extra) |" in works
    assert "\n## dock, dock-extra\n" in works
    mixed = {DOCK.file: Outcome({}, {"test_in": "fails", "test_out": "not run: no sea"})}
    text = table.page([DOCK], mixed, ["Dock", "crane"])
    assert "| fails: A ship comes in |" in text
    assert "- A ship leaves. **not run: no sea**" in text
    assert "| crane | | | no test yet |" in text
    assert "| Dock |" not in text
