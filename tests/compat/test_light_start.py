"""What only plug-ins need is loaded for nobody else: start-up is as quick as without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
from pathlib import Path
from carrel.compat.imports import install
install()
from carrel.app.build import open_hub
from carrel.app.web_app import build_web_app
from carrel.config.load import load

async def main():
    async with open_hub(load([], Path.cwd(), {}).settings) as ctx:
        build_web_app(ctx)
asyncio.run(main())
heavy = {"tornado", "sqlalchemy.orm", "carrel.compat.orm", "carrel.compat.templates"}
heavy |= {"sqlalchemy.dialects.postgresql", "carrel.spawners.warm"}
print(sorted(heavy & set(sys.modules)))
"""
HANDLERS = """
from jupyterhub.handlers import BaseHandler
c.JupyterHub.extra_handlers = [("/mine", BaseHandler)]
"""


@pytest.mark.parametrize(
    ("config", "loaded"),
    [
        ("c.JupyterHub.authenticator_class = 'pam'", []),
        ("c.JupyterHub.authenticator_class = 'dummy'\nimport jupyterhub.auth, jupyterhub.utils", []),
        (HANDLERS, ["carrel.compat.templates", "tornado"]),
    ],
)
def test_a_hub_loads_what_its_plugins_need(tmp_path: Path, config: str, loaded: list[str]) -> None:
    (tmp_path / "jupyterhub_config.py").write_text(config)
    shown = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.stdout.splitlines()[-1:] == [str(loaded)], shown.stderr
