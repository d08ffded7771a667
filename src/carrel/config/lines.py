"""Where in its files a configuration sets what, by reading the source without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
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


def find_words(parts: Iterable[Path], directory: Path) -> dict[str, str]:
    """Return texts that look like a setting's name and stand at one place only, each with `file:line`."""
    found: dict[str, set[str]] = {}
    for path in parts:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.setdefault(node.value, set()).add(f"{short(path, directory)}:{node.lineno}")
    return {word: places.pop() for word, places in found.items() if len(places) == 1}


def _python_lines(tree: ast.AST) -> Iterator[tuple[str, int]]:
    aliases: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            section = _path(node.value, aliases) if node.value is not None else None
            for target in targets:
                if isinstance(target, ast.Name) and section is not None and len(section) == 1:
                    aliases[target.id] = section
                elif path := _path(target, aliases):
                    yield ".".join(path), target.lineno
        elif isinstance(node, ast.Call):
            yield from _of_call(node, aliases)


def _of_call(call: ast.Call, aliases: Mapping[str, list[str]]) -> Iterator[tuple[str, int]]:
    """Yield what a call sets, such as `c.A.b.append(x)`, `c.A.update({"b": x})` and the like."""
    if isinstance(call.func, ast.Name) and call.func.id == "setattr" and len(call.args) == 3:
        path, name = _path(call.args[0], aliases), call.args[1]
        if path and isinstance(name, ast.Constant):
            yield ".".join([*path, str(name.value)]), call.lineno
    if not isinstance(call.func, ast.Attribute):
        return
    receiver = call.func.value
    path = [] if isinstance(receiver, ast.Name) and receiver.id == "c" else _path(receiver, aliases)
    if path is None:
        return
    if len(path) > 1:
        yield ".".join(path), receiver.lineno
    elif call.func.attr in ("update", "merge"):
        for keyword in call.keywords:
            if keyword.arg:
                yield ".".join([*path, keyword.arg]), keyword.lineno
        for argument in call.args:
            yield from _of_literal(argument, path)


def _of_literal(node: ast.expr, path: list[str]) -> Iterator[tuple[str, int]]:
    if not isinstance(node, ast.Dict):
        return
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            below = [*path, str(key.value)]
            if len(below) == 1:
                yield from _of_literal(value, below)
            else:
                yield ".".join(below), key.lineno


def _path(node: ast.expr, aliases: Mapping[str, list[str]]) -> list[str] | None:
    """Return ["JupyterHub", "port"] for `c.JupyterHub.port` or `c["JupyterHub"]["port"]`, else None."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            names.append(str(node.slice.value))
            node = node.value
        elif isinstance(node, ast.Name) and node.id in aliases:
            return [*aliases[node.id], *names[::-1]]
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
