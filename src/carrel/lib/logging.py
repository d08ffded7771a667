"""The log: one readable line per event, the same for our own loggers, traitlets', uvicorn's and plug-ins'.

[I 2026-11-23 05:00:00.123 carrel.app] hub is ready url=http://127.0.0.1:8000/
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from carrel.lib.redaction import clean, escape_controls, redact

_FRAMES = 16_384
"""Characters of a traceback that a log shows."""

ACCESS = "carrel.access"
"""The logger of one line per request; its writer makes the text fit for a log."""

_CHATTY = ("alembic", "uvicorn", "aiohttp", "httpx")
"""Libraries whose notes on their own work are of no use to an admin."""

_INTERNAL = ("_record", "_from_structlog")


def configure(level: int | str, stream: TextIO | None = None) -> None:
    """Send all logs from `level` up to `stream` (standard error when None), in one form.

    May be repeated: the last call wins.
    """
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Lines(foreign_pre_chain=_foreign(), processors=_processors()))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper() if isinstance(level, str) else level)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(max(root.level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class _Lines(ProcessorFormatter):
    """Formats every record; the lines of `ACCESS` come redacted and are only framed, for there are many."""

    _second = 0
    _moment = ""

    def format(self, record: logging.LogRecord) -> str:
        if record.name != ACCESS or record.exc_info:
            return super().format(record)
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"[{record.levelname[0]} {self._moment}.{record.msecs:03.0f} {ACCESS}] {record.getMessage()}"


class _Handler(logging.StreamHandler[TextIO]):
    """The handler of `configure`, told from a plug-in's own by its class."""


def _foreign() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        drop_repeats,
    ]


def _processors() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S.%f", utc=False),
        structlog.processors.format_exc_info,
        hide_secrets,
        render_line,
    ]


def drop_repeats(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Processor: forget what other handlers and uvicorn put on a record beside its text."""
    for name in ("message", "asctime", "color_message"):
        event.pop(name, None)
    return event


def hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Processor: take secrets, control characters and overlong text out of every value."""
    for name, value in event.items():
        if name == "exception":
            event[name] = "\n".join(clean(line) for line in str(value)[-_FRAMES:].splitlines())
        elif name not in _INTERNAL:
            event[name] = redact(name, value)
    return event


def render_line(_logger: Any, _method: str, event: EventDict) -> str:
    """Processor: return the line of an event, with a traceback indented below it."""
    level = str(event.pop("level", "info"))
    moment = str(event.pop("timestamp", ""))[:-3]
    name = event.pop("logger", None) or "root"
    message = event.pop("event", "")
    trace = event.pop("exception", None)
    stack = event.pop("stack", None) or event.pop("stack_info", None)
    rest = [(escape_controls(str(key)), value) for key, value in event.items() if key not in _INTERNAL]
    pairs = "".join(f" {key}={_shown(value)}" for key, value in rest)
    line = f"[{level[:1].upper()} {moment} {name}] {message}{pairs}"
    for text in (stack, trace):
        if text:
            line += "".join(f"\n    {each}" for each in str(text).splitlines())
    return line


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return repr(text) if not text or " " in text or "=" in text[:1] else text
