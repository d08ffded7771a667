"""What is made of `db_kwargs`, written for SQLAlchemy."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.config.database import check_database, connections, database_url, logs_statements
from carrel.config.schema import Settings

SERVER = "postgresql://hub@db/carrel?sslmode=prefer"


def settings(given: dict[str, Any], url: str = SERVER) -> Settings:
    return Settings(db_url=url, db_kwargs=given)


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, 8),
        ({"pool_size": 20}, 30),
        ({"pool_size": 20, "max_overflow": 0}, 20),
        ({"max_overflow": -1}, 5),
        ({"pool_size": 0, "max_overflow": 0}, 1),
    ],
)
def test_how_many_connections_there_may_be(given: dict[str, Any], count: int) -> None:
    assert connections(settings(given)) == count


def test_parameters_become_part_of_the_url_and_win() -> None:
    given = {"connect_args": {"sslmode": "verify-full", "options": "-c a=b", "connect_timeout": 3}}
    expected = "postgresql://hub@db/carrel?sslmode=verify-full&options=-c%20a%3Db&connect_timeout=3"
    assert database_url(settings(given)) == expected
    assert database_url(settings({})) == SERVER
    assert database_url(settings(given, "sqlite:///hub.sqlite")) == "sqlite:///hub.sqlite"


def test_statements_are_logged_by_either_name() -> None:
    assert logs_statements(settings({"echo": True}))
    assert logs_statements(Settings(debug_db=True))
    assert not logs_statements(Settings())


@pytest.mark.parametrize(
    ("given", "url", "expected", "fatal"),
    [
        ({"pool_size": "9"}, SERVER, "pool_size must be a whole number", True),
        ({"connect_args": "x"}, SERVER, "connect_args must be a dictionary", True),
        ({"pool_pre_ping": True}, SERVER, "found dead are replaced", False),
        ({"poolclass": object}, SERVER, "poolclass is not used", False),
        ({"pool_size": 9}, "sqlite:///hub.sqlite", "SQLite needs no pool", False),
        ({"connect_args": {"timeout": 9}}, "sqlite:///hub.sqlite", "SQLite is opened as suits it", False),
    ],
)
def test_each_key_that_does_nothing_is_named(
    given: dict[str, Any], url: str, expected: str, fatal: bool
) -> None:
    ((_, text, is_fatal),) = check_database(settings(given, url))
    assert expected in text
    assert is_fatal is fatal


def test_emptying_the_database_is_warned_of() -> None:
    ((name, text, fatal),) = check_database(Settings(reset_db=True))
    assert (name, fatal) == ("reset_db", False)
    assert "every start" in text
