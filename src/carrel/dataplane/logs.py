"""Where the process's own messages go: a file, or standard error for as long as somebody reads it."""

from __future__ import annotations

import logging
import os
import select
from pathlib import Path

_FORMAT = "[%(levelname).1s %(asctime)s carrel-proxy] %(message)s"
_MAX_LINE = 4096


class DetachedHandler(logging.Handler):
    """Writes to a descriptor that may be closed or full at any time: then a line is lost, no more."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record).encode("utf-8", "replace")[: _MAX_LINE - 1] + b"\n"
        try:
            if select.select([], [self._descriptor], [], 0)[1]:
                os.write(self._descriptor, line)
        except (OSError, ValueError):
            return


def make_log(level: str, file: Path | None) -> logging.Logger:
    """Return the process's log; raises OSError when the file cannot be opened."""
    handler = DetachedHandler(2) if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.raiseExceptions = False
    log = logging.getLogger("carrel.dataplane")
    log.setLevel(level.upper())
    log.propagate = False
    log.handlers[:] = [handler]
    asyncio_log = logging.getLogger("asyncio")
    asyncio_log.propagate = False
    asyncio_log.handlers[:] = [handler]
    return log
