"""The notebook about the REST API, run from its first cell to its last: it shows what the tutorial prints."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import STUB, class_config
from tests.rigs.systems import carrel
from tests.tutorial.examples import TUTORIAL

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def results(notebook: Any) -> list[Any]:
    """Return what the cells that show something show, as Python values or text."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", output
            text = output.data["text/plain"] if "data" in output else output.text
            try:
                shown.append(ast.literal_eval(text))
            except (SyntaxError, ValueError):
                shown.append(text.strip())
    return shown


def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(TUTORIAL / "api" / "api.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    with HubProcess(carrel(), tmp_path, class_config(tmp_path, STUB)) as hub:
        for name in ("admin", "takluyver"):
            hub.visitor().log_in(name, "correct horse battery staple", "/hub/home")
        monkeypatch.setenv("HUB_API", f"http://127.0.0.1:{hub.ports.hub}/hub/api/")
        monkeypatch.setenv("HUB_TOKEN", hub.token("admin"))
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        environment = dict(os.environ)
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute(env=environment)
        target = f"http://127.0.0.1:{hub.ports.hub}"
    before, running, stopped, routes, refused = results(notebook)
    for users in (before, running, stopped):
        assert [user["name"] for user in users] == ["admin", "takluyver"]
        assert [user["admin"] for user in users] == [True, False]
        assert {"last_activity", "pending", "server"} <= set(users[0])
        assert all(user["pending"] is None for user in users)
    assert [users[1]["server"] for users in (before, running, stopped)] == [None, "/user/takluyver/", None]
    assert routes["/"]["target"].startswith(target)
    assert {"routespec", "target", "data"} <= set(routes["/"])
    assert refused.startswith("403: ")
    assert refused != "403: None"
