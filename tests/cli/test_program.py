"""The program as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real


def carrel(directory: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return run(directory, "-m", "carrel", *argv)


def run(directory: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *argv]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path if path)}
    return subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, timeout=50, check=False
    )


def test_version_is_quick_because_it_imports_little(tmp_path: Path) -> None:
    code = (
        "import sys; from carrel.cli.main import main; main(['--version']);"
        "print(sorted({'starlette', 'traitlets', 'sqlalchemy'} & set(sys.modules)))"
    )
    first, second = run(tmp_path, "-c", code).stdout.splitlines()
    assert first.startswith("carrel ")
    assert second == "[]"


@pytest.mark.parametrize(
    ("text", "argv", "code", "expected"),
    [
        ("c.JupyterHub.admin_user = {}", [], 3, "jupyterhub_config.py:1: JupyterHub.admin_user"),
        ("c.JupyterHub.port = = 1", [], 3, "jupyterhub_config.py:1: SyntaxError"),
        ("", ["--nonsense"], 2, "--nonsense"),
        ("", ["token", "a", "b"], 2, "one name"),
    ],
)
def test_a_mistake_ends_with_its_code_and_a_line(
    tmp_path: Path, text: str, argv: list[str], code: int, expected: str
) -> None:
    (tmp_path / "jupyterhub_config.py").write_text(text)
    done = carrel(tmp_path, *argv)
    assert done.returncode == code
    assert expected in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_generate_config_writes_a_file_that_loads(tmp_path: Path) -> None:
    assert carrel(tmp_path, "--generate-config").returncode == 0
    assert carrel(tmp_path, "--generate-config").returncode == 1
    assert carrel(tmp_path, "--generate-config", "-y").returncode == 0
    text = (tmp_path / "jupyterhub_config.py").read_text()
    assert "# c.JupyterHub.port = 8000" in text
    assert "# c.Spawner." in text
    assert "# c.Authenticator.admin_users" in text
    shown = carrel(tmp_path, "--show-config")
    assert (shown.returncode, shown.stderr) == (0, "")
