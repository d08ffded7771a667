"""Where events for auditors go, as the configuration says, and what is wrong with it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from traitlets.config import Config

from carrel.config.plugins import check_plugins
from carrel.config.schema import BadConfig, Settings
from carrel.config.watching import event_handlers


def settings(section: str, **values: Any) -> Settings:
    config = Config()
    for name, value in values.items():
        config[section][name] = value
    return Settings(plugins=config)


def test_handlers_are_named_or_made_by_a_function() -> None:
    handler = logging.NullHandler()
    assert event_handlers(settings("EventLogger", handlers=[handler])) == [handler]
    assert event_handlers(settings("EventLogger", handlers=lambda: [handler])) == [handler]
    assert event_handlers(settings("EventLogger", handlers=None)) == []
    assert event_handlers(Settings(plugins=Config())) == []


def _broken() -> list[logging.Handler]:
    raise FileNotFoundError("events.log")


@pytest.mark.parametrize("handlers", [_broken, lambda: ["events.log"], lambda: 3])
def test_a_function_that_makes_none_is_told_without_a_traceback(handlers: Any) -> None:
    with pytest.raises(BadConfig, match=r"EventLogger\.handlers"):
        event_handlers(settings("EventLogger", handlers=handlers))


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("EventLogger", "handlers", ["events.log"]),
        ("PeriodicMetricsCollector", "event_loop_interval_resolution", 0),
        ("PeriodicMetricsCollector", "event_loop_interval_enabled", "maybe"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(section: str, name: str, value: Any) -> None:
    problems = check_plugins(settings(section, **{name: value}), ())
    assert [(each.setting, each.fatal) for each in problems] == [(f"{section}.{name}", True)]
