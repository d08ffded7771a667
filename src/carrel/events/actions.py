"""Events for auditors: a line of JSON for each start and stop, in JupyterHub's schema `server-action`.

The lines are those of the package jupyter_events, whose import would take longer than a hub's start may.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from carrel.domain.events import Event, ServerActed
from carrel.lib.clock import Clock

_SCHEMA = "https://schema.jupyter.org/jupyterhub/events/server-action"


class ActionLog:
    """Writes what was done to `handlers`, which get whole lines; give `heed` to the bus."""

    def __init__(self, handlers: Sequence[logging.Handler], clock: Clock) -> None:
        self._handlers = handlers
        for handler in handlers:
            handler.setFormatter(logging.Formatter("%(message)s"))
        self._clock = clock

    def heed(self, event: Event) -> None:
        """Write the line of a start or stop."""
        if not isinstance(event, ServerActed):
            return
        line = msgspec.json.encode(self._fields(event)).decode()
        record = logging.LogRecord("carrel.actions", logging.INFO, __file__, 0, line, None, None)
        for handler in self._handlers:
            if record.levelno >= handler.level:
                handler.handle(record)

    def _fields(self, event: ServerActed) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="microseconds")
        return {
            "__timestamp__": moment.replace("+00:00", "Z"),
            "__schema__": _SCHEMA,
            "__schema_version__": "1",
            "__metadata_version__": 1,
            "action": event.action,
            "username": event.user_name,
            "servername": event.server_name,
        }
