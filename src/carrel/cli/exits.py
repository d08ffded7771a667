"""Exit codes, and the one line that an error is told with."""

from __future__ import annotations

from carrel.compat.imports import AlreadyImported
from carrel.config.arguments import BadArguments
from carrel.config.schema import BadConfig
from carrel.lib.listen import CannotListen, PortInUse
from carrel.proxy.base import ProxyError
from carrel.storage.base import StorageError

OK = 0
UNEXPECTED = 1
USAGE = 2
BAD_CONFIG = 3
NOTHING_TO_STOP = 4
PORT_IN_USE = 5
DATABASE = 6
INTERRUPTED = 130


class Refused(Exception):
    """A command that cannot do what it was asked; the text says why and what would be right."""


def explain(error: Exception) -> tuple[int, list[str]]:
    """Return the exit code of an error and the lines that tell it to a person."""
    match error:
        case BadConfig(problems=problems):
            return BAD_CONFIG, [str(problem) for problem in problems]
        case BadArguments():
            return USAGE, [f"{error} (`carrel --help` lists the options)"]
        case PortInUse():
            return PORT_IN_USE, [str(error)]
        case StorageError():
            return DATABASE, [str(error)]
        case Refused() | AlreadyImported() | CannotListen() | ProxyError():
            return UNEXPECTED, [str(error)]
        case _:
            text = " ".join(str(error).split())
            return UNEXPECTED, [f"{type(error).__name__}: {text} (--debug shows where)"]
