"""Fixtures that every layer's tests may ask for."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Generator, Iterator

import pytest

from tests.rigs.accounts import Account, temporary_account
from tests.rigs.needs import need
from tests.rigs.postgres import PostgresServer, find_binaries


def pytest_configure() -> None:
    """Heed signals that a background job or `nohup` ignores: hubs and servers would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and do not look at them again: all of it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Undo what a command under test does to the log.

    Its handler writes to what pytest closes after the test: each line that later tests log would be a
    traceback.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A private PostgreSQL, started when the first test asks for it."""
    binaries = find_binaries()
    need(binaries, "PostgreSQL's server")
    assert binaries is not None
    server = PostgresServer(binaries)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def system_account() -> Iterator[Account]:
    """A user of this machine, with a password; gone after the test."""
    need(os.geteuid() == 0, "root, who may make a system account,")
    with temporary_account() as account:
        yield account
