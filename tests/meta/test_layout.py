"""The tests' tree mirrors the hub's, so that a file's tests are found by its path."""

from __future__ import annotations

from pathlib import Path

from carrel.compat.imports import NAMES
from tests.rigs.places import ROOT

HUB = ROOT / "src" / "carrel"
TESTS = ROOT / "tests"
#: Suites over the whole, and what they stand on.
SUITES = {
    "rigs",
    "meta",
    "e2e",
    "compat",
    "plugins",
    "tutorial",
    "conformance",
    "simulation",
    "chaos",
    "history",
    "replicas",
    "bench",
}


def packages(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.is_dir() and any(path.glob("*.py"))}


def test_every_directory_of_tests_is_a_layer_or_a_suite() -> None:
    assert packages(TESTS) - packages(HUB) - SUITES == set()


def test_no_directory_gathers_what_has_no_name() -> None:
    shapeless = {"utils", "util", "common", "helpers", "misc", "managers"}
    found = [
        str(path.relative_to(ROOT))
        for place in (HUB, TESTS, ROOT / "packages")
        for path in place.rglob("*")
        if path.stem in shapeless
        and (path.is_dir() or path.suffix == ".py")
        # There, names are JupyterHub's.
        and NAMES not in path.parents
    ]
    assert found == []
