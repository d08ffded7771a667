"""A configuration with classes that it chooses, without an application."""

from __future__ import annotations

from pathlib import Path

from carrel.app.classes import find_classes
from carrel.config.arguments import parse_arguments
from carrel.config.chosen import Chosen
from carrel.config.load import read_all
from carrel.config.schema import Problem


def choose(directory: Path, text: str, *argv: str, mode: int = 0o600) -> tuple[Chosen, list[Problem]]:
    """Return what a configuration file comes to, and the problems with it."""
    file = directory / "jupyterhub_config.py"
    file.write_text(text)
    file.chmod(mode)
    settings, problems = read_all(parse_arguments(argv), directory, {})
    classes, found = find_classes(settings)
    return classes.chosen_by(settings), [*problems, *found]
