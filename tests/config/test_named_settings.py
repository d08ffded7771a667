"""Settings of named servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.config.check import check_settings
from carrel.config.load import load
from carrel.config.schema import BadConfig, Settings


def _write(directory: Path, text: str) -> None:
    (directory / "jupyterhub_config.py").write_text(text)


def test_what_is_right_warns_of_nothing(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "c.JupyterHub.allow_named_servers = True\n"
        "c.JupyterHub.default_server_name = 'main'\n"
        "c.JupyterHub.named_server_limit_per_user = lambda handler: 3\n"
        "c.JupyterHub.allow_existing_invalid_named_servers = 'allow-delete'\n",
    )
    loaded = load([], tmp_path, {})
    assert loaded.warnings == []
    assert loaded.settings.default_server_name == "main"
    assert loaded.settings.allow_existing_invalid_named_servers == "allow-delete"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"default_server_name": "main"}, "without allow_named_servers"),
        ({"allow_named_servers": True, "default_server_name": "Main 1"}, "1 to 30 characters"),
    ],
)
def test_what_is_doubtful_warns(values: dict[str, object], text: str) -> None:
    [problem] = check_settings(Settings(**values))  # type: ignore[arg-type]
    assert text in str(problem)
    assert not problem.fatal


def test_a_policy_that_there_is_not_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "c.JupyterHub.allow_existing_invalid_named_servers = 'allow'\n")
    with pytest.raises(BadConfig, match="'allow-delete' or 'autorename', not 'allow'"):
        load([], tmp_path, {})
