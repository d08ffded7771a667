"""Listens to a run of tests for what came of each, several parameters taken together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.plugins.table import WORKS, Outcome, Suite

FAILS = "fails"


class Recorder:
    """A plug-in of pytest that remembers outcomes by file and function."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the worst of a test's phases and parameters: it fails, was not run, or works."""
        file = Path(report.nodeid.partition("::")[0]).name
        test = report.nodeid.partition("::")[2].partition("[")[0]
        known = self.seen.setdefault(file, {})
        if report.failed:
            known[test] = FAILS
        elif report.skipped and known.get(test) != FAILS:
            known[test] = f"not run: {_reason(report)}"
        else:
            known.setdefault(test, WORKS)

    def merge(
        self, before: Mapping[str, Outcome], suites: Iterable[Suite], versions: Mapping[str, str]
    ) -> dict[str, Outcome]:
        """Return all suites' outcomes: those of this run, and for tests that it left out the earlier ones.

        `versions` are those of all installed distributions, by name in lower case.
        """
        merged = dict(before)
        for suite in suites:
            if suite.file not in self.seen:
                continue
            results = {**before.get(suite.file, Outcome()).results, **self.seen[suite.file]}
            merged[suite.file] = Outcome(
                {name: versions.get(name.lower(), "not installed") for name in suite.plugins},
                {test: results[test] for test in suite.tests if test in results},
            )
        return merged


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    return reason.removeprefix("Skipped: ")
