"""Every package and module that is not a test says what it is for."""

from __future__ import annotations

from tests.meta.sources import Source, sources


def test_every_package_and_module_has_a_docstring() -> None:
    silent = [
        source.name
        for source in sources()
        if not source.empty and not source.has_docstring and not _is_test(source)
    ]
    assert silent == []


def test_every_package_of_the_hub_says_what_it_holds() -> None:
    empty = [
        source.name
        for source in sources()
        if source.path.name == "__init__.py" and source.name.startswith("src/") and source.empty
    ]
    assert empty == []


def _is_test(source: Source) -> bool:
    """Tell whether a file is named for what it tests, which says enough."""
    return "tests/" in source.name and "tests/rigs/" not in source.name
