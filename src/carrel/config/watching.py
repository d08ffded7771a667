"""Sections of JupyterHub's classes that watch the hub: the event loop, and events for auditors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from traitlets import Bool, Float, HasTraits, TraitType
from traitlets.config import Configurable
from traitlets.config.loader import LazyConfigValue

from carrel.config.schema import BadConfig, Problem, Settings


class _Handlers(TraitType[Any, Any]):
    """Handlers of `logging`, or a function that returns them."""

    info_text = "a list of logging.Handler objects, or a function that returns one"

    def validate(self, obj: Any, value: Any) -> Any:
        good = isinstance(value, list) and all(isinstance(each, logging.Handler) for each in value)
        if good or value is None or callable(value):
            return value
        return self.error(obj, value)


class PeriodicMetricsCollector(Configurable):
    """How the hub measures its own event loop."""

    event_loop_interval_enabled = Bool(True, help="Measure the event loop.").tag(config=True)
    event_loop_interval_resolution = Float(
        0.05, min=0.001, help="How often the event loop is measured, in seconds."
    ).tag(config=True)
    event_loop_interval_log_threshold = Float(
        1.0, min=0, help="The log says so when the loop was held up for so many seconds."
    ).tag(config=True)


class EventLogger(HasTraits):
    """Where events for auditors go."""

    handlers = _Handlers(
        None, allow_none=True, help="What writes a line for each start and stop of a server."
    ).tag(config=True)


#: Those by the names of their sections.
WATCHING: dict[str, type[HasTraits]] = {
    "EventLogger": EventLogger,
    "PeriodicMetricsCollector": PeriodicMetricsCollector,
}


def event_handlers(settings: Settings) -> Sequence[logging.Handler]:
    """Return what the configuration wants events to be written by; raises BadConfig."""
    # Not by way of traitlets, which copies values: handlers hold locks.
    given = settings.plugins.get("EventLogger", {}).get("handlers")
    if isinstance(given, LazyConfigValue):
        given = given.get_value([])
    try:
        found = list((given() if callable(given) else given) or ())
    except Exception as error:
        text = f"its function raises {type(error).__name__}: {error}"
        raise BadConfig([_problem(settings, text)]) from None
    if not all(isinstance(each, logging.Handler) for each in found):
        raise BadConfig([_problem(settings, f"it must be {_Handlers.info_text}")])
    return found


def _problem(settings: Settings, text: str) -> Problem:
    name = "EventLogger.handlers"
    return Problem(name, text, settings.locations.get(name, ""))
