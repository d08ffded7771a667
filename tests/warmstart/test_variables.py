from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from carrel.warmstart import variables

CONTRACT = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/", "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api"}


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({}, ""),
        ({"HOME": "/home/ada", "PATH": "/bin", "SECRET": "x"}, ""),
        ({"PYTHONPATH": "/x"}, "PYTHONPATH"),
        ({"LD_PRELOAD": "/x.so", "PYTHONHASHSEED": "0"}, "LD_PRELOAD, PYTHONHASHSEED"),
        ({"LANG": "de_DE.UTF-8"}, "LANG"),
        ({"LC_ALL": "C"}, "LC_ALL"),
        ({"TZ": "Asia/Tokyo"}, "TZ"),
        ({"JUPYTER_CONFIG_DIR": "/home/ada/c"}, "JUPYTER_CONFIG_DIR"),
    ],
)
def test_what_imports_have_looked_at_must_be_the_same(env: Mapping[str, str], names: str) -> None:
    template = {"LANG": "C.UTF-8"}
    read = frozenset({"JUPYTER_CONFIG_DIR", "HOME", "JUPYTERHUB_API_URL"})
    reason = variables.reason_for_exec({"LANG": "C.UTF-8", **CONTRACT, **env}, template, read)
    assert reason.startswith(names)
    assert bool(reason) == bool(names)


def test_a_program_that_is_no_server_of_a_hub_is_not_served() -> None:
    assert "JUPYTERHUB_API_URL" in variables.reason_for_exec({}, {}, frozenset())


def test_a_template_has_what_is_usually_the_same_for_everybody() -> None:
    env = {"LANG": "C", "TZ": "UTC", "http_proxy": "http://p", "HOME": "/h", "JUPYTERHUB_API_TOKEN": "secret"}
    assert variables.shared(env) == {"LANG": "C", "TZ": "UTC", "http_proxy": "http://p"}


def test_what_is_read_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_THERE", "1")
    variables.watch()
    try:
        found = os.environ.get("CARREL_MISSING"), os.getenv("CARREL_THERE"), "CARREL_ASKED" in os.environ
    finally:
        names = variables.seen()
    assert found == (None, "1", False)
    assert {"CARREL_MISSING", "CARREL_THERE", "CARREL_ASKED"} <= names
    os.environ.get("CARREL_LATER")
    assert "CARREL_LATER" not in variables.seen()
