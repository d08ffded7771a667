"""What stands in the project's files concerns the project, wherever it is checked out."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.rigs.places import ROOT

#: Paths of one machine, and hosts that packages are installed from: the installers know those themselves.
FOREIGN = {
    "a path of one machine": re.compile(
        r"(?<![\w.])/(?:work|root|home/\w+/(?:src|work)|tmp/(?:v|wt|brief))/"
    ),
    "a package registry's host": re.compile(r"(?:pypi|pythonhosted|npmjs|debian|crates)\.(?:org|io|com)\b"),
    "an index for installers": re.compile(r"--(?:extra-)?index-url|--registry[ =]|--find-links"),
}
THIS = "tests/meta/test_text.py"


def tracked() -> list[str]:
    """Return the files that git knows, or nothing outside a checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in listed.stdout.split("\0") if name and name != THIS]


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_names(what: str) -> None:
    found = []
    for name in tracked():
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name}: {match[0]}" for match in FOREIGN[what].finditer(text)]
    assert found == []


def test_every_script_is_executable() -> None:
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=False)
    scripts = [line.split("\t") for line in listed.stdout.splitlines()]
    begins = {name: (ROOT / name).read_bytes()[:2] for _, name in scripts if (ROOT / name).is_file()}
    dull = [name for mode, name in scripts if begins.get(name) == b"#!" and not mode.startswith("100755")]
    assert dull == []
