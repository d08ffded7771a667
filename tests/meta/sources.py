"""The project's own Python files, read once for all rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.rigs.places import ROOT

PLACES = ("src", "packages", "tests", "bench", "dev", "examples")


@dataclass(frozen=True, slots=True)
class Function:
    """A function and how many lines it has, its decorators and docstring not counted."""

    name: str
    line: int
    length: int


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def length(self) -> int:
        return self.text.count("\n")

    @property
    def is_test(self) -> bool:
        return "tests" in self.path.relative_to(ROOT).parts

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                yield Function(node.name, node.lineno, (node.end_lineno or 0) - first.lineno + 1)


@cache
def sources() -> tuple[Source, ...]:
    """Return every Python file of the project."""
    paths = (path for place in PLACES for path in sorted((ROOT / place).rglob("*.py")))
    return tuple(read(path) for path in paths)


def read(path: Path) -> Source:
    text = path.read_text()
    return Source(path, text, ast.parse(text))
