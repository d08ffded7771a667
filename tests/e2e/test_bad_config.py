"""What a wrong configuration looks like to its author: one clear message, no traceback, an exit code."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.singleusers import STUB, class_config
from tests.rigs.systems import under_test

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(120),
    only_carrel,
]

BAD_USAGE, BAD_CONFIG, PORT_IN_USE, BAD_DATABASE = 2, 3, 5, 6


def start(directory: Path, extra: str = "", *, listener: str = "") -> tuple[HubProcess, int]:
    """Return a hub that was started and has ended, and its exit code; `listener` names a port to occupy."""
    hub = HubProcess(under_test(), directory, class_config(directory, STUB) + extra)
    with socket.socket() as occupied:
        if listener:
            occupied.bind(("127.0.0.1", getattr(hub.ports, listener)))
            occupied.listen()
        try:
            hub.launch()
            return hub, hub.wait(30)
        finally:
            hub.clean_up()


def is_clear(log: str, *words: str) -> bool:
    """Return whether one line of the log holds all `words`, and no traceback is in it."""
    assert "Traceback" not in log, log
    assert any(all(word in line for word in words) for line in log.splitlines()), log
    return True


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.Authenticator.alowed_users = {'ada'}", ("alowed_users", "allowed_users")),
        ("c.JupyterHub.spawner_class = 'no.such.Spawner'", ("spawner_class", "no.such.Spawner")),
        ("c.JupyterHub.authenticator_class = 'nosuch'", ("authenticator_class", "nosuch")),
        ("c.JupyterHub.port = 'eighty'", ("JupyterHub.port", "eighty")),
        ("c.JupyterHub.db_url = 'oracle://x/y'", ("db_url", "oracle")),
        ("c.JupyterHub.cookie_secret_file = '/proc/version'", ("cookie_secret", "/proc/version")),
        ("c.JupyterHub.cookie_secret_file = '.'", ("cookie_secret",)),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    tmp_path: Path, line: str, words: tuple[str, ...]
) -> None:
    hub, code = start(tmp_path, line + "\n")
    assert code == BAD_CONFIG, hub.log
    assert is_clear(hub.log, *words)


def test_a_cookie_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "jupyterhub_cookie_secret"
    secret.write_text("ab" * 32)
    secret.chmod(0o644)
    hub, code = start(tmp_path)
    assert code == BAD_CONFIG, hub.log
    assert is_clear(hub.log, "jupyterhub_cookie_secret")
    assert "abab" not in hub.log


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    hub, code = start(tmp_path, "c.JupyterHub.hub_port = 'x'\nc.JupyterHub.port = 'eighty'\n")
    assert code == BAD_CONFIG, hub.log
    assert is_clear(hub.log, "JupyterHub.hub_port")
    assert is_clear(hub.log, "eighty")


def test_python_that_does_not_parse_is_named_with_its_line(tmp_path: Path) -> None:
    hub, code = start(tmp_path, "c.JupyterHub.port = (\n")
    assert code == BAD_CONFIG, hub.log
    assert is_clear(hub.log, "jupyterhub_config.py")


@pytest.mark.parametrize("listener", ["public", "hub"])
def test_a_port_in_use_is_named(tmp_path: Path, listener: str) -> None:
    hub, code = start(tmp_path, listener=listener)
    assert code == PORT_IN_USE, hub.log
    assert is_clear(hub.log, str(getattr(hub.ports, listener)))


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    hub = HubProcess(under_test(), tmp_path, class_config(tmp_path, STUB))
    with hub:
        hub.terminate()
    database = tmp_path / "carrel.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        # As an upgrade writes it that releases before cannot live with.
        connection.execute("UPDATE facts SET value = '9999' WHERE key = 'usable_since'")
    again, code = start(tmp_path)
    assert code == BAD_DATABASE, again.log
    assert is_clear(again.log, "carrel.sqlite", "newer", "9999")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "carrel.sqlite").write_text(
        "a diary, not a database, and long enough to be read as one" * 100
    )
    hub, code = start(tmp_path)
    assert code == BAD_DATABASE, hub.log
    assert is_clear(hub.log, "carrel.sqlite")


@pytest.mark.parametrize("words", [["--no-such-option"], ["nosuchcommand"], ["stop", "--nosuch"]])
def test_bad_usage_is_explained(tmp_path: Path, words: list[str]) -> None:
    system = under_test()
    done = subprocess.run(
        [*system.command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == BAD_USAGE, done.stderr
    assert "Traceback" not in done.stderr
    assert "--help" in done.stderr
    assert words[-1] in done.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    system = under_test()
    command = [*system.command, "-f", "nosuch.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == BAD_CONFIG, done.stderr
    assert is_clear(done.stderr, "nosuch.py")


def test_version_and_generated_config(tmp_path: Path) -> None:
    system = under_test()
    command = [*system.command, "--version"]
    version = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert version.stdout.strip()
    command = [*system.command, "--generate-config"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    written = list(tmp_path.glob("*_config.py"))
    assert len(written) == 1
    compile(written[0].read_text(), written[0].name, "exec")
