"""The log: one readable line per event, the same for our own loggers, traitlets', uvicorn's and plug-ins'.

[I 2026-11-23 05:00:00.123 carrel.app] hub is ready url=http://127.0.0.1:8000/

Values to search for go into `extra`: `log.info("hub is ready", extra={"url": url})`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from carrel.lib.redaction import clean, escape_controls, redact

ACCESS = "carrel.access"
"""The logger of one line per request; its writer makes the text fit for a log."""

_FRAMES = 16_384
"""Characters of a traceback that a log shows."""

_CHATTY = ("alembic", "uvicorn", "aiohttp", "httpx", "oauthlib")
"""Libraries whose notes on their own work are of no use to an admin, or hold secrets."""

#: What formats made for JupyterHub ask for.
_COLOURS = {"color": "", "end_color": ""}

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
"""What is on every record, or put there by other handlers: not a value to show."""


def configure(
    level: int | str,
    stream: TextIO | None = None,
    *,
    lines: Lines | None = None,
    more: Sequence[logging.Handler] = (),
) -> None:
    """Send all logs from `level` up to `stream` (standard error when None), in one form.

    They go to the handlers in `more`, too. May be repeated: the last call wins.
    """
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(lines or Lines())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler) or each in more]:
        root.removeHandler(old)
    for each in (handler, *more):
        root.addHandler(each)
    root.setLevel(level.upper() if isinstance(level, str) else level)
    # Our own lines show neither, and finding them out for every record costs as much as writing it.
    shown = bool(more) or (lines is not None and lines.names_workers)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = shown
    for library in _CHATTY:
        logging.getLogger(library).setLevel(max(root.level, logging.WARNING))


class _Handler(logging.StreamHandler[TextIO]):
    """The handler of `configure`, told from a plug-in's own by its class."""


class Lines(logging.Formatter):
    """Takes secrets, control characters and overlong text out of a record and makes it one line.

    A traceback is indented below. The lines of `ACCESS` come fit and are only framed, for there are many. The
    frame may be another one, in the notation of `logging` (`%(levelname)s %(message)s`), and so may be the
    form of dates. One that cannot be used raises what `%` does.
    """

    def __init__(self, frame: str = "", dates: str = "") -> None:
        super().__init__()
        self._own = frame
        self._dates = dates or "%Y-%m-%d %H:%M:%S"
        self._second = 0
        self._moment = ""

    @property
    def names_workers(self) -> bool:
        """Whether lines say which process or thread it was."""
        return any(f"%({name}" in self._own for name in ("thread", "process"))

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
            self._moment = time.strftime(self._dates, time.localtime(second))
        if self._own:
            return self._own % {**_COLOURS, **record.__dict__, "message": text, "asctime": self._moment}
        return f"[{record.levelname[:1]} {self._moment}.{record.msecs:03.0f} {record.name}] {text}"

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else record.exc_text or ""


def _pairs(record: logging.LogRecord) -> str:
    extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    return "".join(f" {escape_controls(name)}={_shown(redact(name, value))}" for name, value in extra.items())


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return repr(text) if not text or " " in text or "=" in text[:1] else text
