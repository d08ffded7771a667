"""Where the log goes and how it looks, by the settings; every test has the process's loggers for itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carrel.config.logs import check_logs, set_up_logs
from carrel.config.schema import BadConfig, Settings

SECRET = "c4n4ry0123456789abcdef"


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Put back what a test does to the loggers."""
    root, own = logging.getLogger(), logging.getLogger("carrel")
    before = [(each, list(each.handlers), each.level, each.propagate) for each in (root, own)]
    root.handlers[:] = []
    yield
    for logger, handlers, level, propagate in before:
        for handler in set(logger.handlers) - set(handlers):
            handler.close()
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


class Kept(logging.Handler):
    """Keeps what it is given, formatted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def says(capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    """Return what standard error gets of one line."""
    set_up_logs(Settings(**settings))
    logging.getLogger("carrel.app").info("hello %s", "ada", extra={"token": SECRET})
    return capsys.readouterr().err


def test_a_format_of_jupyterhub_works(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = (
        "%(color)s[%(levelname)1.1s %(asctime)s.%(msecs).03d %(name)s %(module)s:%(lineno)d]%(end_color)s "
        "%(message)s"
    )
    line = says(capsys, log_format=wanted, log_datefmt="%H:%M:%S")
    assert re.fullmatch(
        r"\[I \d\d:\d\d:\d\d\.\d{3} carrel\.app test_logs:\d+\] hello ada token=\*\*\*\n", line
    )


def test_dates_alone_may_look_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    line = says(capsys, log_datefmt="%d.%m.%Y")
    assert re.fullmatch(r"\[I \d\d\.\d\d\.\d{4}\.\d{3} carrel\.app\] hello ada token=\*\*\*\n", line)


def test_threads_and_processes_are_found_out_when_they_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert says(capsys, log_format="%(threadName)s %(message)s").startswith("MainThread hello")


def test_a_file_has_the_log_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = says(capsys, extra_log_file="hub.log", directory=tmp_path)
    assert (tmp_path / "hub.log").read_text() == shown
    # Moved away, as log rotation does.
    (tmp_path / "hub.log").rename(tmp_path / "hub.log.1")
    logging.getLogger("carrel").warning("after")
    assert "after" in (tmp_path / "hub.log").read_text()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    settings = Settings(
        extra_log_file="no/hub.log", directory=tmp_path, locations={"JupyterHub.extra_log_file": "x.py:3"}
    )
    with pytest.raises(BadConfig, match=r"x\.py:3: JupyterHub\.extra_log_file: .* No such file"):
        set_up_logs(settings)


def test_handlers_of_others_get_fit_lines_and_are_not_doubled(capsys: pytest.CaptureFixture[str]) -> None:
    plain, own = Kept(), Kept()
    own.setFormatter(logging.Formatter("%(message)s!"))
    for _ in range(2):
        says(capsys, extra_log_handlers=[plain, own])
    assert len(plain.lines) == 2
    assert plain.lines[0].endswith("carrel.app] hello ada token=***")
    assert own.lines == ["hello ada!"] * 2


def test_a_dictionary_adds_to_what_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "debug.log"
    wanted = {
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(file), "level": "DEBUG"}},
        "loggers": {"JupyterHub": {"level": "DEBUG", "handlers": ["console", "file"]}},
    }
    shown = says(capsys, logging_config=wanted)
    assert shown.count("hello ada") == 1
    logging.getLogger("carrel.core").debug("%s", f"password={SECRET}")
    assert "hello ada token=***" in file.read_text()
    assert SECRET not in file.read_text()
    assert "carrel.core" in file.read_text()


@pytest.mark.parametrize(
    "wanted",
    [
        {"handlers": {"file": {"class": "no.such.Handler"}}},
        {"loggers": {"carrel": {"handlers": ["nothing"]}}},
        {"root": {"level": "LOUD"}},
    ],
)
def test_a_dictionary_that_logging_does_not_take_is_named(wanted: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match="logging_config: logging cannot be set up with it"):
        set_up_logs(Settings(logging_config=wanted))


def test_what_is_not_set_needs_no_words() -> None:
    assert list(check_logs(Settings())) == []
