"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import statistics

from tests.meta.sources import sources

FILE_LIMIT = 400
HARD_FILE_LIMIT = 600
FUNCTION_LIMIT = 60

#: Files over FILE_LIMIT, each with its reason. HARD_FILE_LIMIT has no exceptions.
LONG_FILES: dict[str, str] = {
    "src/carrel/spawners/sudo_helper.py": "a program that is read and installed alone",
    "src/carrel/config/schema.py": "one setting after the other, each with its help",
    "src/carrel/storage/sql/tables.py": "one table after the other",
}


def test_no_file_is_too_long() -> None:
    long = {source.name: source.length for source in sources() if source.length > FILE_LIMIT}
    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}
    assert {name: lines for name, lines in long.items() if lines > HARD_FILE_LIMIT} == {}


def test_every_exception_is_still_needed() -> None:
    long = {source.name for source in sources() if source.length > FILE_LIMIT}
    assert set(LONG_FILES) <= long


def test_files_are_mostly_short() -> None:
    lengths = [source.length for source in sources() if source.length > 20 and not source.is_test]
    assert statistics.median(lengths) <= 200


def test_no_function_is_too_long() -> None:
    long = {
        f"{source.name}:{function.line} {function.name}": function.length
        for source in sources()
        for function in source.functions
        if function.length > FUNCTION_LIMIT
    }
    assert long == {}


def test_functions_are_mostly_short() -> None:
    lengths = [function.length for source in sources() for function in source.functions]
    assert sum(length <= 30 for length in lengths) / len(lengths) >= 0.95
