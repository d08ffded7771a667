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
    """One Python file. Its tree is not kept: later tests would collect garbage among a million nodes."""

    path: Path
    length: int
    empty: bool
    """Whether nothing stands in it, but for comments."""
    has_docstring: bool
    functions: tuple[Function, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def is_test(self) -> bool:
        return "tests" in self.path.relative_to(ROOT).parts


@cache
def sources() -> tuple[Source, ...]:
    """Return every Python file of the project."""
    paths = (path for place in PLACES for path in sorted((ROOT / place).rglob("*.py")))
    return tuple(read(path) for path in paths)


def read(path: Path) -> Source:
    text = path.read_text()
    tree = ast.parse(text)
    documented = bool(ast.get_docstring(tree))
    return Source(path, text.count("\n"), not tree.body, documented, tuple(_functions(tree)))


def _functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            yield Function(node.name, node.lineno, (node.end_lineno or 0) - first.lineno + 1)
