"""Which files of a repository say what its environment is made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carrel_client.repository.harmless_yaml import read_yaml
from carrel_client.repository.report import Failed

#: Where these files are looked for, the first directory that has one wins.
_PLACES = ("binder", ".binder", ".")
_PYTHON = re.compile(r"python(?:\s*[=<>~!]=?\s*(?P<version>\d+(?:\.\d+)*).*)?", re.IGNORECASE)
#: Packages of conda's that are there anyway.
_GIVEN = ("pip", "setuptools", "wheel", "ipykernel")


@dataclass(frozen=True, slots=True)
class Plan:
    """What an environment is made of, in one of four ways."""

    kind: str
    """`lock`, `conda`, `requirements` or `project`."""
    file: Path
    python: str = ""
    """The version of Python, where the file says it."""
    requirements: tuple[str, ...] = ()
    """What an environment.yml wants of pip."""
    packages: tuple[str, ...] = field(default=())
    """What it wants of conda beyond Python itself."""

    def fingerprint(self) -> str:
        """Return what changes with each change of its files."""
        digest = hashlib.sha256(self.kind.encode())
        for file in sorted({self.file, *self.file.parent.glob("*requirements*.txt"), *_beside(self.file)}):
            if file.is_file():
                digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
        return digest.hexdigest()


def find_plan(directory: Path) -> Plan | None:
    """Return how the environment of a working copy is made, None when it says nothing. Raises Failed."""
    for place in _PLACES:
        for plan in _plans(directory / place, directory):
            return plan
    return None


def _plans(place: Path, top: Path) -> Iterator[Plan]:
    project = place / "pyproject.toml"
    if _is_inside(place / "uv.lock", top) and _is_inside(project, top):
        yield Plan("lock", project)
    for name in ("environment.yml", "environment.yaml"):
        if _is_inside(place / name, top):
            yield _read_conda(place / name)
    if _is_inside(place / "requirements.txt", top):
        yield Plan("requirements", place / "requirements.txt")
    if _is_inside(project, top) and re.search(
        r"^\s*\[project\]", project.read_text("utf-8", "replace"), re.M
    ):
        yield Plan("project", project)


def _is_inside(file: Path, top: Path) -> bool:
    """Tell whether a file is there and is not a link to somewhere else."""
    return file.is_file() and file.resolve().is_relative_to(top.resolve())


def _beside(file: Path) -> list[Path]:
    return [file.parent / name for name in ("uv.lock", "pyproject.toml", ".python-version")]


def _read_conda(file: Path) -> Plan:
    content = read_yaml(file)
    wanted = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(wanted, list):
        raise Failed(f"{file.name} has no list of dependencies.", f"Correct {file.name}.")
    return _conda_plan(file, wanted)


def _conda_plan(file: Path, wanted: list[Any]) -> Plan:
    python, of_pip, of_conda = "", [], []
    for entry in wanted:
        if isinstance(entry, dict) and isinstance(entry.get("pip"), list):
            of_pip += [_text(file, each) for each in entry["pip"]]
        elif not isinstance(entry, str):
            raise _no_dependency(file, entry)
        elif (match := _PYTHON.fullmatch(entry.strip())) is not None:
            python = match["version"] or ""
        elif re.split(r"[\s=<>!~]", entry.strip())[0] not in _GIVEN:
            of_conda.append(entry.strip())
    return Plan("conda", file, python, tuple(of_pip), tuple(of_conda))


def _text(file: Path, entry: object) -> str:
    if not isinstance(entry, str):
        raise _no_dependency(file, entry)
    return entry


def _no_dependency(file: Path, entry: object) -> Failed:
    kinds = {dict: "an object", list: "a list", type(None): "nothing"}
    what = kinds.get(type(entry)) or f"'{str(entry)[:80]}'"
    return Failed(f"{file.name}: {what} is no dependency.", f"Correct {file.name}.")
