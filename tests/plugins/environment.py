"""The plug-ins' environment, apart from the tests' own: they, and the JupyterHub that they ask for."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache

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
