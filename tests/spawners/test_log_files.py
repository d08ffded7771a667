"""The end of a server's log, as far as it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.spawners.logfiles import read_tail


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
