"""A server's log: its end, as far as it is read, and how long it gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carrel.spawners.logfiles import bound_logs, log_path, open_log, read_tail


@pytest.mark.parametrize(
    ("text", "lines", "tail"),
    [
        ("", 5, ""),
        ("a\nb\nc", 2, "b\nc"),
        ("a\nb\n", 0, ""),
        ("secret" * 100_000 + "\nlast\n", 5, "last"),
    ],
    ids=["empty", "few", "none", "half a line"],
)
def test_the_last_lines_are_whole(tmp_path: Path, text: str, lines: int, tail: str) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    assert read_tail(path, lines) == tail


def test_one_endless_line_keeps_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("x" * 300_000)
    assert len(read_tail(path, 5)) == 256 * 1024


def test_no_log_is_no_text(tmp_path: Path) -> None:
    assert read_tail(tmp_path / "none", 5) == ""


def test_a_log_that_grows_too_long_is_set_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = log_path(str(tmp_path), "ada", 7)
    writer = open_log(path)
    lines = [f"line {number}\n" for number in range(20_000)]
    os.write(writer, "".join(lines).encode())
    bound_logs(tmp_path, 100_000)
    os.write(writer, b"and on\n")
    os.close(writer)
    aside = path.with_name(f"{path.name}.1").read_text()
    assert len(aside) == 100_000
    assert aside.endswith("line 19999\n")
    assert path.stat().st_size < 40_000
    assert read_tail(path, 3) == "line 19998\nline 19999\nand on"
    assert path.stat().st_mode & 0o777 == path.with_name(f"{path.name}.1").stat().st_mode & 0o777 == 0o600


def test_short_logs_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ada-7.log").write_text("short\n")
    (tmp_path / "ada-7.log.1").write_text("x" * 1000)
    (tmp_path / "link.log").symlink_to(tmp_path / "ada-7.log.1")
    bound_logs(tmp_path, 100)
    bound_logs(tmp_path / "not there", 100)
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {
        "ada-7.log": 6,
        "ada-7.log.1": 1000,
        "link.log": 1000,
    }


def test_holes_that_a_writer_makes_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ada-7.log"
    with path.open("wb") as file:
        file.seek(2**40)
        file.write(b"the end\n")
    bound_logs(tmp_path, 1000)
    assert path.with_name("ada-7.log.1").stat().st_size == 1000
    assert path.stat().st_size < 100_000
