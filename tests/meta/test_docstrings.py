"""Every package and module says what it is for."""

from __future__ import annotations

import ast

from tests.meta.sources import sources


def test_every_package_and_module_has_a_docstring() -> None:
    silent = [source.name for source in sources() if source.tree.body and not ast.get_docstring(source.tree)]
    assert silent == []


def test_every_package_of_the_hub_says_what_it_holds() -> None:
    empty = [
        source.name
        for source in sources()
        if source.path.name == "__init__.py" and source.name.startswith("src/") and not source.text.strip()
    ]
    assert empty == []
