"""What uv says when an environment cannot be built, in plain words and with the line that is to blame."""

from __future__ import annotations

import re
from pathlib import Path

from carrel_client.repository.report import Failed

_ABSENT = re.compile(
    r"Because (?P<name>[A-Za-z0-9][\w.-]*) was not found in the (?:package registry|provided package)"
    r"|Because there (?:is|are) no versions? of (?P<version>[A-Za-z0-9][\w.-]*)\b"
    r"|Because only (?P<only>[A-Za-z0-9][\w.-]*)\S* (?:is|are) available"
)
_POSITION = re.compile(r"in `[^`]*?` at position (\d+)|(?:^|[\s/`])[\w.-]+\.(?:txt|in):(?P<line>\d+):\d+")
_BUILD = re.compile(r"Failed to (?:build|download and build)(?: source distribution)?:? `?(?P<name>[\w.-]+)")
_NETWORK = re.compile(
    r"Failed to fetch|error sending request|dns error|Connection refused|timed out|Network is unreachable",
    re.IGNORECASE,
)
_PYTHON = re.compile(
    r"No interpreter found for (?P<what>[^\n]+)|requires-python|current Python version", re.IGNORECASE
)
_CONFLICT = re.compile(r"No solution found|unsatisfiable|conflict", re.IGNORECASE)
_LATER = "Try again later; if it fails again, tell the administrator."


def explained(file: Path, output: str) -> Failed:
    """Return why an environment could not be made of `file`, by what the program said of it."""
    text = " ".join(output.split())
    hint = f"Correct {file.name} in the repository, or ask its author to."
    position = _POSITION.search(text)
    if position is not None:
        before = file.read_text("utf-8", "replace")[: int(position[1] or 0)]
        line = position["line"] or before.count("\n") + 1
        return Failed(f"{file.name} line {line}: this is no requirement that can be read.", hint)
    # What cannot be reached was not looked up: that it was not found says nothing.
    if _NETWORK.search(text):
        causes = re.findall(r"^\s*(?:cause|Caused by): (.+)$", output, re.MULTILINE)
        why = causes[-1] if causes else "their index does not answer"
        return Failed(f"The packages of {file.name} cannot be fetched: {why}.", _LATER)
    absent = _ABSENT.search(text)
    if absent is not None:
        if absent["name"]:
            return Failed(f"{_place(file, absent['name'])}: no such package {absent['name']}.", hint)
        name = absent["version"] or re.split(r"[<>=!~]", absent["only"])[0]
        return Failed(f"{_place(file, name)}: there is no such version of {name}.", hint)
    built = _BUILD.search(text)
    if built is not None:
        name = re.split(r"==|@", built["name"])[0]
        return Failed(f"{_place(file, name)}: {name} could not be built.", hint)
    if _PYTHON.search(text):
        return Failed(f"{file.name}: no Python is here that fits its packages.", hint)
    if _CONFLICT.search(text):
        return Failed(f"{file.name}: its requirements contradict each other.", hint)
    return Failed(f"The environment of {file.name} could not be built.", hint)


def _place(file: Path, name: str) -> str:
    """Return the file, with the line that names a package when one does."""
    plain = re.sub(r"[-_.]+", "[-_.]+", re.escape(name).replace(r"\-", "-").replace(r"\.", "."))
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        if re.search(rf"(?<![\w.-]){plain}(?![\w.-])", line, re.IGNORECASE):
            return f"{file.name} line {number}"
    return file.name
