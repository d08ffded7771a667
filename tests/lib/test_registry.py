from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.lib import registry
from carrel.lib.registry import Kind, UnknownClass, find_class, known_names

KIND: Kind[dict[str, str]] = Kind(
    setting="Hub.table_class",
    base=dict,
    builtins={"ordered": "collections.OrderedDict", "counter": "collections.Counter"},
    groups=("test.tables",),
    packages={"sparse": "sparse-tables", "sparse_tables": "sparse-tables"},
    stand_ins={"user": "collections.UserDict", "default-table": "collections.OrderedDict"},
    answers={"sparse_tables.Ordered": "ordered"},
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with entry points, one of them broken."""
    metadata = tmp_path / "plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[test.tables]\nDefault-Table = collections:defaultdict\nbroken = table_plugin:Table\n"
    )
    (tmp_path / "table_plugin.py").write_text("raise RuntimeError('no driver\\nfor this machine')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "table_plugin", raising=False)


@pytest.mark.parametrize("wanted", ["ordered", "Ordered", "collections.OrderedDict", OrderedDict])
def test_a_class_is_found_by_each_of_its_names(wanted: object) -> None:
    assert find_class(wanted, KIND) is OrderedDict


@pytest.mark.usefixtures("installed")
def test_an_installed_plugin_is_found_by_its_name_in_any_case() -> None:
    assert find_class("default-TABLE", KIND).__name__ == "defaultdict"
    assert known_names(KIND) == ["broken", "counter", "default-table", "ordered", "user"]


def test_a_dotted_name_is_imported_without_a_look_at_all_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []

    def look(group: str) -> list[str]:
        looked.append(group)
        return []

    monkeypatch.setattr(registry, "entry_points", look)
    assert find_class(" collections.OrderedDict", KIND) is OrderedDict
    assert looked == []
    with pytest.raises(UnknownClass):
        find_class("no_such_module.Table", KIND)
    assert looked == ["test.tables"]


@pytest.mark.usefixtures("installed")
def test_entry_points_of_a_distribution_that_is_replaced_do_not_count() -> None:
    kind = replace(KIND, replaced=("plugin",))
    assert known_names(kind) == ["counter", "default-table", "ordered", "user"]
    with pytest.raises(UnknownClass, match="nothing is called 'broken'"):
        find_class("broken", kind)


def test_a_built_in_stands_in_for_a_plugin_that_is_not_installed() -> None:
    assert find_class("Default-Table", KIND) is OrderedDict


@pytest.mark.usefixtures("installed")
def test_a_plugin_that_cannot_be_imported_says_why_in_one_line() -> None:
    with pytest.raises(UnknownClass) as caught:
        find_class("broken", KIND)
    message = str(caught.value)
    assert message.startswith("Hub.table_class: 'broken' is table_plugin:Table, which cannot be imported: ")
    assert message.endswith("RuntimeError: no driver")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("orderd", "Hub.table_class: nothing is called 'orderd'; did you mean 'ordered'?"),
        (
            "zzz",
            "nothing is called 'zzz'; "
            "give a class, a dotted name or one of: counter, default-table, ordered, user",
        ),
        (
            "collections.OrderdDict",
            "Hub.table_class: the module collections has no OrderdDict; did you mean OrderedDict?",
        ),
        ("builtins.int", "Hub.table_class: builtins.int is not a subclass of dict"),
        ("builtins.len", "is not a class"),
        (7, "Hub.table_class: 7 is not a class"),
        ("no_such.module.Class", "cannot be imported: ModuleNotFoundError: No module named 'no_such'"),
        (".", "cannot be imported"),
        ("Sparse", "nothing is called 'Sparse'; it comes with another package: pip install sparse-tables"),
        ("spars", "did you mean 'sparse'? It comes with another package: pip install sparse-tables"),
        ("sparse_tables.Table", "No module named 'sparse_tables'; pip install sparse-tables"),
        ("sparse_tables.Ordered", "pip install sparse-tables, or use the built-in 'ordered'"),
    ],
)
def test_what_cannot_be_found_is_explained(wanted: object, message: str) -> None:
    with pytest.raises(UnknownClass) as caught:
        find_class(wanted, KIND)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
