"""Configuration files: found, run, and their errors turned into one line with the place."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, JSONFileConfigLoader, PyFileConfigLoader

from carrel.config.packages import advice_on
from carrel.config.schema import BadConfig, Problem

#: What is looked for in the working directory, the first that exists.
DEFAULT_FILES = ("carrel_config.py", "carrel_config.json", "jupyterhub_config.py", "jupyterhub_config.json")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a configuration file and those that it includes say."""

    config: Config = field(default_factory=Config)
    path: Path | None = None
    """The file; None when there is none."""
    parts: tuple[Path, ...] = ()
    """The file and all that `load_subconfig` brought in, in the order in which they were read."""
    warnings: tuple[Problem, ...] = ()


def read_file(name: str, directory: Path) -> ReadFile:
    """Return what file `name` says, or the default file of `directory` when `name` is empty.

    Raises BadConfig with one problem: a file that is missing, cannot be read or fails.
    """
    warnings: list[Problem] = []
    path = directory / Path(name).expanduser() if name else _default_file(directory, warnings)
    if path is None:
        return ReadFile()
    if not path.is_file() and not path.suffix and path.with_suffix(".py").is_file():
        path = path.with_suffix(".py")
    shown = short(path, directory)
    if not path.is_file():
        what = f"{shown} is no file but a directory" if path.is_dir() else f"there is no file {shown}"
        raise BadConfig([Problem("", what)])
    parts: list[Path] = []
    config = Config()
    if path.suffix != ".json":
        loader = _PythonFile(path, directory, parts, warnings)
        try:
            # What a configuration prints must not get into what a command prints, such as a token.
            with contextlib.redirect_stdout(sys.stderr):
                config = loader.load_config()
        except (Exception, SystemExit) as error:
            raise BadConfig([_failure(error, parts, directory)]) from None
    beside = path.with_suffix(".json")
    if beside.is_file():
        config.merge(_read_json(beside, short(beside, directory)))
        parts.append(beside)
    return ReadFile(config, path, tuple(parts), tuple(warnings))


def short(path: Path, directory: Path) -> str:
    """Return a path as a person in `directory` would write it."""
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)


def _default_file(directory: Path, warnings: list[Problem]) -> Path | None:
    found = [directory / name for name in DEFAULT_FILES if (directory / name).is_file()]
    others = [path.name for path in found if path.stem != found[0].stem]
    if others:
        text = f"{found[0].name} is used; {' and '.join(others)} beside it is not read (choose with -f)"
        warnings.append(Problem("", text, fatal=False, kind="unused"))
    return found[0] if found else None


class _PythonFile(PyFileConfigLoader):
    """traitlets' loader that remembers its parts and looks for them beside the including file too."""

    def __init__(self, path: Path, directory: Path, parts: list[Path], warnings: list[Problem]) -> None:
        super().__init__(path.name, path=str(path.parent))
        self._file = path
        self._directory = directory
        self._parts = parts
        self._warnings = warnings
        parts.append(path)

    def load_subconfig(self, fname: str, path: str | None = None) -> None:
        places = [Path(path)] if path else [self._directory, self._file.parent]
        file = next((place / fname for place in places if (place / fname).is_file()), None)
        if file is None:
            text = f"there is no file {fname}: nothing is read"
            place = f"{short(self._file, self._directory)}:{sys._getframe(1).f_lineno}"
            self._warnings.append(Problem("load_subconfig", text, place, fatal=False, kind="unused"))
            return
        self.config.merge(_PythonFile(file, self._directory, self._parts, self._warnings).load_config())


def _read_json(path: Path, shown: str) -> Config:
    try:
        return JSONFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except json.JSONDecodeError as error:
        raise BadConfig([Problem("", f"not JSON: {error.msg}", f"{shown}:{error.lineno}")]) from None
    except (ValueError, OSError, ConfigFileNotFound) as error:
        raise BadConfig([Problem("", f"cannot be read: {_one_line(error)}", shown)]) from None


def _failure(error: BaseException, parts: list[Path], directory: Path) -> Problem:
    """Return the problem for an exception that left a configuration file, with the last line there."""
    files = {str(path): short(path, directory) for path in parts}
    line: tuple[str, int | None] | None = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in files:
            line = (files[frame.filename], frame.lineno)
    if isinstance(error, SyntaxError) and error.filename in files:
        line = (files[error.filename], error.lineno)
    if line is None:
        line = (short(parts[-1], directory), None)
    where = line[0] if line[1] is None else f"{line[0]}:{line[1]}"
    if (variable := _missing_variable(error)) is not None:
        return Problem("", f"the environment variable {variable} is not set", where)
    text = error.msg if isinstance(error, SyntaxError) else _one_line(error)
    if "LazyConfigValue" in text and isinstance(error, TypeError):
        text += " (a setting without a value takes .update({...}), .append(...) and the like)"
    if isinstance(error, ModuleNotFoundError) and (advice := advice_on(error.name or "")):
        text += f" ({advice})"
    return Problem("", f"{type(error).__name__}: {text}", where)


def _missing_variable(error: BaseException) -> str | None:
    """Return the name in `os.environ["NAME"]` that was not there, None for any other error."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, KeyError) and frames and frames[-1].filename in (os.__file__, "<frozen os>"):
        return str(error.args[0])
    return None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
