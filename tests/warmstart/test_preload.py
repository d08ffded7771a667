from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from carrel.warmstart import preload


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "thing-1.dist-info").mkdir()
    (tmp_path / "thing.py").write_text("x = 1\n")
    monkeypatch.setattr("site.getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    return tmp_path


def test_nothing_has_changed_by_itself(packages: Path) -> None:
    assert not preload.look_at_packages().with_loaded_files().has_changed()


def test_an_installed_package_is_a_change(packages: Path) -> None:
    before = preload.look_at_packages()
    (packages / "other-1.dist-info").mkdir()
    assert before.has_changed()


def test_what_is_compiled_is_no_change(packages: Path) -> None:
    before = preload.look_at_packages()
    (packages / "__pycache__").mkdir()
    assert not before.has_changed()


def test_an_edited_module_is_a_change(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(packages)
    __import__("thing")
    monkeypatch.setitem(sys.modules, "thing", sys.modules["thing"])
    before = preload.look_at_packages().with_loaded_files()
    (packages / "thing.py").write_text("x = 12\n")
    assert before.has_changed()


def test_a_process_with_threads_may_not_be_forked() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="worker")
    thread.start()
    try:
        assert any("worker" in text for text in preload.unsafe())
    finally:
        over.set()
        thread.join()


def test_the_list_of_modules_is_in_order_and_has_nothing_of_a_users() -> None:
    names = Path(preload.__file__).with_name("modules.txt").read_text().split()
    assert names == sorted(set(names))
