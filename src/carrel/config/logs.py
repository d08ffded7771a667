"""Where the hub's log goes and how its lines look, as the configuration says."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from carrel.config.schema import BadConfig, Problem, Settings
from carrel.lib.logging import Lines, configure

Finding = tuple[str, str, bool]

#: What JupyterHub calls its own logger, and what ours are below.
_LOGGERS = {"JupyterHub": "carrel"}
#: The name under which `logging_config` finds what writes to standard error.
_CONSOLE = "console"


def check_logs(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with the settings of the log that can be seen without opening anything."""
    record = logging.LogRecord("carrel", logging.INFO, "check.py", 1, "a line", (), None)
    try:
        Lines(settings.log_format, settings.log_datefmt).format(record)
    except Exception as error:
        text = f"no line can be made with it ({error}); %(message)s and other names of logging are known"
        yield "log_format", text, True
    for handler in settings.extra_log_handlers:
        if not isinstance(handler, logging.Handler):
            text = f"it must be a list of logging.Handler objects, and has a {type(handler).__name__}"
            yield "extra_log_handlers", text, True


def set_up_logs(settings: Settings) -> None:
    """Send the log where the settings say; may be repeated. Raises BadConfig."""
    lines = Lines(settings.log_format, settings.log_datefmt)
    handlers = list(settings.extra_log_handlers)
    if settings.extra_log_file:
        handlers.append(_file(settings))
    for handler in handlers:
        if handler.formatter is None:
            handler.setFormatter(lines)
    configure(settings.log_level, lines=lines, more=handlers)
    if settings.logging_config:
        _configure(settings, lines)


def _file(settings: Settings) -> logging.Handler:
    from logging.handlers import WatchedFileHandler

    path = settings.resolve(settings.extra_log_file)
    try:
        # Whoever rotates logs moves the file away: this one looks whether it is still there.
        return WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        text = f"{path} cannot be written: {error.strerror}"
        raise BadConfig([_problem(settings, "extra_log_file", text)]) from None


def _configure(settings: Settings, lines: Lines) -> None:
    from logging.config import dictConfig

    own: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {_CONSOLE: {"()": lambda: lines}},
        "handlers": {_CONSOLE: {"class": "logging.StreamHandler"}},
    }
    wanted = _joined(own, settings.logging_config)
    loggers = {_LOGGERS.get(name, name): dict(each) for name, each in wanted.get("loggers", {}).items()}
    for each in loggers.values():
        if each.get("handlers"):
            # What the root's handlers would write once more.
            each.setdefault("propagate", False)
    handlers = {name: {"formatter": _CONSOLE, **each} for name, each in wanted["handlers"].items()}
    try:
        dictConfig(wanted | {"loggers": loggers, "handlers": handlers})
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        text = f"logging cannot be set up with it: {error.__cause__ or error}"
        raise BadConfig([_problem(settings, "logging_config", text)]) from None


def _joined(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(own)
    for name, value in given.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = _joined(before, value) if both and before is not None else value
    return result


def _problem(settings: Settings, name: str, text: str) -> Problem:
    return Problem(f"JupyterHub.{name}", text, settings.place(name))
