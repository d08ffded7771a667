"""The import name `jupyterhub`, in a process of its own each time, as `carrel python` gives it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REAL = "__version__ = '0.0.real'\n"


def python(*argv: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "carrel", "python", *argv]
    return subprocess.run(
        command, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def beside_a_real_one(tmp_path: Path) -> Path:
    """A directory that holds another package of that name, first on the path of what runs there."""
    (tmp_path / "jupyterhub").mkdir()
    (tmp_path / "jupyterhub" / "__init__.py").write_text(REAL)
    (tmp_path / "jupyterhub" / "dbutil.py").write_text("")
    return tmp_path


def test_the_name_means_carrels_classes_though_a_real_one_is_there(beside_a_real_one: Path) -> None:
    code = (
        "import jupyterhub, jupyterhub.auth\n"
        "from carrel.authenticators.base import Authenticator\n"
        "print(jupyterhub.version_info[:3], jupyterhub.auth.Authenticator is Authenticator)\n"
    )
    for argv, stdin in ((("-c", code), ""), (("-",), code), ((), code)):
        assert python(*argv, cwd=beside_a_real_one, stdin=stdin).stdout == "(6, 1, 1) True\n"


def test_what_carrel_does_not_have_is_not_taken_from_the_real_one(beside_a_real_one: Path) -> None:
    code = "try:\n import jupyterhub.dbutil\nexcept ImportError as e:\n print(e, e.name)\n"
    answer = python("-c", code, cwd=beside_a_real_one)
    assert answer.stdout == "Carrel has no module jupyterhub.dbutil for plug-ins jupyterhub.dbutil\n"


def test_children_get_the_real_one(beside_a_real_one: Path) -> None:
    child = "import jupyterhub; print(jupyterhub.__version__)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    assert python("-c", code, cwd=beside_a_real_one).stdout == "0.0.real\n"


def test_one_that_was_imported_before_is_told_of(beside_a_real_one: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, ''); import jupyterhub\n"
        "from carrel.cli.main import main; sys.exit(main(['token', 'ada']))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=beside_a_real_one, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "before Carrel could stand in for it" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_modules_and_files_run_as_python_runs_them(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("FOUND = 'beside'\n")
    script = tmp_path / "script.py"
    script.write_text("import sys, beside\nprint(__name__, sys.argv[1:], beside.FOUND)\nsys.exit(3)\n")
    for argv in (("script.py", "a"), ("-m", "script", "a")):
        answer = python(*argv, cwd=tmp_path)
        assert (answer.stdout, answer.returncode) == ("__main__ ['a'] beside\n", 3)


def test_its_errors_are_pythons_and_ours_are_a_line(tmp_path: Path) -> None:
    raised = python("-c", "1/0", cwd=tmp_path)
    assert raised.returncode == 1
    assert raised.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    for argv in (("-c",), ("-x",), ("absent.py",)):
        answer = python(*argv, cwd=tmp_path)
        assert answer.returncode == 1
        assert answer.stderr.startswith("carrel: carrel python")
        assert len(answer.stderr.splitlines()) == 1


def test_no_web_framework_of_plugins_is_loaded_for_plain_ones(tmp_path: Path) -> None:
    modules = ("auth", "spawner", "proxy", "traitlets", "utils", "authenticators.dummy", "services")
    imports = "\n".join(f"import jupyterhub.{name}" for name in modules)
    code = f"{imports}\nimport sys; print(sorted({{'tornado', 'sqlalchemy'}} & set(sys.modules)))"
    assert python("-c", code, cwd=tmp_path).stdout == "[]\n"
