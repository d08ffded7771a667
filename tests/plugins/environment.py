"""The plug-ins' environment, apart from the tests' own: they, and the JupyterHub that they ask for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.rigs.needs import need
from tests.rigs.places import CACHE, ROOT
from tests.rigs.systems import System

ENVIRONMENT = CACHE / "plug-ins"
PYTHON = ENVIRONMENT / "bin" / "python"
#: This checkout's packages: the environment holds what they depend on, not them.
SOURCES = os.pathsep.join([str(ROOT / "src"), str(ROOT / "packages" / "carrel-client" / "src")])


def need_plugins() -> None:
    """Skip the test when the environment was not made."""
    need((ENVIRONMENT / ".carrel").exists(), "the environment of third-party plug-ins")


def carrel_with_plugins() -> System:
    """Return this checkout's Carrel, run where the plug-ins are installed."""
    path = os.pathsep.join([str(ENVIRONMENT / "bin"), os.environ.get("PATH", "")])
    return System(
        "carrel with plug-ins",
        (str(PYTHON), "-m", "carrel"),
        config=f"c.Spawner.cmd = [{str(PYTHON)!r}, '-m', 'carrel_client.singleuser']",
        environment={"PATH": path, "PYTHONPATH": SOURCES},
    )


@cache
def installed() -> dict[str, str]:
    """Return the versions of what is installed there, by the distribution's name in lower case."""
    program = (
        "import json; from importlib.metadata import distributions;"
        "print(json.dumps({d.name.lower(): d.version for d in distributions()}))"
    )
    shown = subprocess.run([str(PYTHON), "-c", program], capture_output=True, text=True, check=True)
    return dict(json.loads(shown.stdout))


@dataclass(frozen=True, slots=True)
class PublicEnvironment:
    """The plug-ins in an environment that every account may use, whoever made the tests' own."""

    place: Path

    @property
    def python(self) -> Path:
        return self.place / "venv" / "bin" / "python"

    def script(self, name: str, body: str) -> Path:
        """Make an executable of Python beside the interpreter, as an installer does, and return its path."""
        path = self.python.with_name(name)
        path.write_text(f"#!{self.python}\n{body}\n")
        path.chmod(0o755)
        return path


@contextmanager
def public_environment() -> Iterator[PublicEnvironment]:
    """Yield an environment below a new directory of /tmp; skips the test where there is none to be had."""
    need_plugins()
    python = Path("/usr/bin/python3")
    packages = next((ENVIRONMENT / "lib").glob("python3*/site-packages"))
    need(python.exists() and _version(python) == _version(PYTHON), "a Python like the tests' in /usr/bin")
    closed = [path for path in packages.parents if path.stat().st_mode & 0o005 != 0o005]
    need(not closed, f"an environment that all accounts may read ({closed})")
    place = Path(tempfile.mkdtemp(prefix="carrel-test-"))
    try:
        place.chmod(0o755)
        subprocess.run([python, "-m", "venv", "--without-pip", place / "venv"], check=True)
        own = next((place / "venv" / "lib").glob("python3*/site-packages"))
        (own / "carrel-test.pth").write_text("\n".join([*SOURCES.split(os.pathsep), str(packages)]) + "\n")
        yield PublicEnvironment(place)
    finally:
        shutil.rmtree(place)


def _version(python: Path) -> str:
    words = [str(python), "-c", "import sys; print(sys.version_info[:2])"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
