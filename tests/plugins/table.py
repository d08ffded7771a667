"""The page docs/reference/plug-ins.md: which plug-ins were run, with what, and what came of it.

A suite is a file `test_*.py` of this directory that says `PLUGIN = "name"` (a tuple for several), and may say
`BACK_END = "…"` and `NOTES = ("…",)`: what its readers should know, such as what is broken upstream.
Its docstring and those of its tests are the page's text. What came of them is kept in results.json, so that a
run of one suite leaves the others' results as they are.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rigs.places import ROOT

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
REQUIREMENTS = HERE / "requirements.txt"
PAGE = ROOT / "docs" / "reference" / "plug-ins.md"
WORKS = "works"

_HEAD = """\
# Plug-ins of JupyterHub
Each package is the release that PyPI has, unmodified, installed beside a real JupyterHub that its metadata
asks for. Each suite ends with a server that is started, used through the proxy and stopped, unless it says
otherwise. `make plug-ins` writes this page from what the tests in `tests/plugins` did.
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """One file of tests for a plug-in."""

    file: str
    plugins: tuple[str, ...]
    back_end: str
    about: str
    tests: Mapping[str, str]
    """What each test does, in words, by its function's name."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a suite when it was last run."""

    versions: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    """`works`, `fails` or `not run: why`, by test."""


def read_suite(path: Path) -> Suite | None:
    """Return the suite in a file; None for one without PLUGIN. Raises ValueError without a docstring."""
    tree = ast.parse(path.read_text())
    said = dict(filter(None, map(_constant, tree.body)))
    if "PLUGIN" not in said:
        return None
    about = ast.get_docstring(tree)
    if not about:
        raise ValueError(f"{path.name} needs a docstring, which the page about plug-ins repeats")
    plugins = said["PLUGIN"]
    return Suite(
        file=path.name,
        plugins=(plugins,) if isinstance(plugins, str) else tuple(plugins),
        back_end=said.get("BACK_END", "see below"),
        about=" ".join(about.split()),
        tests=dict(_tests(tree)),
        notes=tuple(said.get("NOTES", ())),
    )


def suites() -> list[Suite]:
    """Return all suites, in the order of their first plug-in's name."""
    found = filter(None, map(read_suite, sorted(HERE.glob("test_*.py"))))
    return sorted(found, key=lambda suite: (_plain(suite.plugins[0]), suite.file))


def required() -> list[str]:
    """Return the plug-ins that requirements.txt asks for; a comment behind a name says that it is none."""
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if "#" not in line]
    return [match[0] for line in lines if (match := re.match(r"[A-Za-z0-9._-]+", line.strip()))]


def load_results() -> dict[str, Outcome]:
    """Return what came of each suite, by its file's name."""
    if not RESULTS.exists():
        return {}
    return {file: Outcome(**outcome) for file, outcome in json.loads(RESULTS.read_text()).items()}


def save_results(outcomes: Mapping[str, Outcome]) -> None:
    """Write the outcomes down, for the suites that there are."""
    files = {suite.file for suite in suites()}
    kept = {
        file: {"versions": dict(outcome.versions), "results": dict(outcome.results)}
        for file, outcome in sorted(outcomes.items())
        if file in files
    }
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def page(shown: Iterable[Suite], outcomes: Mapping[str, Outcome], wanted: Iterable[str]) -> str:
    """Return the page about these suites; what is `wanted` and in none of them is said to be untried."""
    shown = list(shown)
    rows, sections = [], []
    for suite in shown:
        outcome = outcomes.get(suite.file, Outcome())
        names = f"[{_title(suite)}](#{_anchor(suite)})"
        versions = "<br>".join(outcome.versions.get(name, "?") for name in suite.plugins)
        rows.append(f"| {names} | {versions} | {suite.back_end} | {_verdict(suite, outcome)} |")
        sections.append(_section(suite, outcome))
    tried = {_plain(name) for suite in shown for name in suite.plugins}
    rows += [f"| {name} | | | no test yet |" for name in wanted if _plain(name) not in tried]
    table = "\n".join(["| Plug-in | Version | Back end | Result |", "|---|---|---|---|", *rows])
    return "\n".join([_HEAD, table, "", *sections])


def _section(suite: Suite, outcome: Outcome) -> str:
    lines = [f"## {_title(suite)}", suite.about, ""]
    for test, words in suite.tests.items():
        result = outcome.results.get(test, "not run")
        lines.append(f"- {words}" + ("" if result == WORKS else f" **{result}**"))
    lines += ["", *(f"Note: {note}\n" for note in suite.notes)]
    return "\n".join(lines)


def _verdict(suite: Suite, outcome: Outcome) -> str:
    results = {test: outcome.results.get(test, "not run") for test in suite.tests}
    failing = [suite.tests[test].rstrip(".") for test, result in results.items() if result == "fails"]
    if failing:
        return "fails: " + "; ".join(failing)
    missing = sorted({result for result in results.values() if result != WORKS})
    return "; ".join(missing) or WORKS


def _title(suite: Suite) -> str:
    """Return the plug-ins' names, with the file's where that says more: a plug-in may have several suites."""
    names = ", ".join(suite.plugins)
    subject = suite.file.removeprefix("test_").removesuffix(".py")
    return names if _plain(subject) in _plain(names) else f"{names}: {subject.replace('_', ' ')}"


def _anchor(suite: Suite) -> str:
    """Return the anchor that GitHub makes of a section's title."""
    return re.sub(r"[^\w\- ]", "", _title(suite).lower()).replace(" ", "-")


def _constant(node: ast.stmt) -> tuple[str, Any] | None:
    match node:
        case ast.Assign(targets=[ast.Name(id="PLUGIN" | "BACK_END" | "NOTES" as name)], value=value):
            return name, ast.literal_eval(value)
    return None


def _tests(tree: ast.Module) -> Iterable[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            words = ast.get_docstring(node) or node.name.removeprefix("test_").replace("_", " ").capitalize()
            yield node.name, " ".join(words.split("\n\n")[0].split())


def _plain(name: str) -> str:
    """Return a distribution's name in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    print(page(suites(), load_results(), required()), end="")
