"""The tutorial's examples, run as they stand: a test only adds where a hub listens and what servers run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.rigs.places import ROOT
from tests.rigs.singleusers import STUB

TUTORIAL = ROOT / "examples" / "tutorial"
DEPLOY = ROOT / "deploy"


def example(name: str, directory: Path, *more: str, command: Sequence[str] = STUB) -> str:
    """Return a configuration that is an example as it stands, for users whose homes are below `directory`."""
    (directory / "home").mkdir(parents=True, exist_ok=True)
    file = TUTORIAL / name / "jupyterhub_config.py"
    lines = (
        "address = c.JupyterHub.bind_url",
        f"load_subconfig({str(file)!r})",
        "c.JupyterHub.bind_url = address",
        f"c.Spawner.cmd = {list(command)!r}",
        f"c.SimpleLocalProcessSpawner.home_dir_template = '{directory}/home/{{username}}'",
        *more,
    )
    return "".join(f"{line}\n" for line in lines)
