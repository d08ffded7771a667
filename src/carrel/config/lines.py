"""Where in its files a configuration sets what, by reading the source without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from carrel.config.files import short


def find_lines(parts: Iterable[Path], directory: Path) -> dict[str, str]:
    """Return `Section.name` to `file:line` for all that can be seen; the last place of each wins."""
    found: dict[str, str] = {}
    for path in parts:
        try:
            text = path.read_text(encoding="utf-8")
            pairs = list(_json_lines(text) if path.suffix == ".json" else _python_lines(ast.parse(text)))
        except (OSError, ValueError, SyntaxError):
            continue
        for name, line in sorted(pairs, key=lambda pair: pair[1]):
            found[name] = f"{short(path, directory)}:{line}"
    return found


def _python_lines(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            targets = [node.func.value]
        for target in targets:
            path = _path(target)
            if path is not None and len(path) > 1:
                yield ".".join(path), target.lineno


def _path(node: ast.expr) -> list[str] | None:
    """Return ["JupyterHub", "port"] for `c.JupyterHub.port` or `c["JupyterHub"]["port"]`, else None."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            names.append(str(node.slice.value))
            node = node.value
        elif isinstance(node, ast.Name) and names:
            # `c`, or whatever name a file gave to get_config(); a section begins with a capital
            return names[::-1] if names[-1][:1].isupper() or node.id == "c" else None
        else:
            return None


def _json_lines(text: str) -> Iterator[tuple[str, int]]:
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        for key in re.findall(r'"(\w+)"\s*:', line):
            if key[:1].isupper():
                section = key
            elif section:
                yield f"{section}.{key}", number
