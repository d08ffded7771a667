"""The log: one readable line per event, the same for our own loggers, traitlets', uvicorn's and plug-ins'.

[I 2026-11-23 05:00:00.123 carrel.app] hub is ready url=http://127.0.0.1:8000/

Values to search for go into `extra`: `log.info("hub is ready", extra={"url": url})`.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

from carrel.lib.redaction import clean, escape_controls, redact

ACCESS = "carrel.access"
"""The logger of one line per request; its writer makes the text fit for a log."""

_FRAMES = 16_384
"""Characters of a traceback that a log shows."""

_CHATTY = ("alembic", "uvicorn", "aiohttp", "httpx", "oauthlib")
"""Libraries whose notes on their own work are of no use to an admin, or hold secrets."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
"""What is on every record, or put there by other handlers: not a value to show."""


def configure(level: int | str, stream: TextIO | None = None) -> None:
    """Send all logs from `level` up to `stream` (standard error when None), in one form.

    May be repeated: the last call wins.
    """
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper() if isinstance(level, str) else level)
    # Our lines show neither, and finding them out for every record costs as much as writing it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for library in _CHATTY:
        logging.getLogger(library).setLevel(max(root.level, logging.WARNING))


class _Handler(logging.StreamHandler[TextIO]):
    """The handler of `configure`, told from a plug-in's own by its class."""


class _Lines(logging.Formatter):
    """Takes secrets, control characters and overlong text out of a record and makes it one line.

    A traceback is indented below. The lines of `ACCESS` come fit and are only framed, for there are many.
    """

    _second = 0
    _moment = ""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == ACCESS and not record.exc_info:
            return self._frame(record, record.getMessage())
        line = self._frame(record, clean(record.getMessage()) + _pairs(record))
        for text in (record.stack_info, self._trace(record)):
            if text:
                line += "".join(f"\n    {clean(each)}" for each in text[-_FRAMES:].splitlines())
        return line

    def _frame(self, record: logging.LogRecord, text: str) -> str:
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"[{record.levelname[:1]} {self._moment}.{record.msecs:03.0f} {record.name}] {text}"

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else record.exc_text or ""


def _pairs(record: logging.LogRecord) -> str:
    extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    return "".join(f" {escape_controls(name)}={_shown(redact(name, value))}" for name, value in extra.items())


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return repr(text) if not text or " " in text or "=" in text[:1] else text
