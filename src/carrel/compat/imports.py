"""The import name `jupyterhub`: in this process, what plug-ins and configurations import from it is Carrel's.

A real JupyterHub may be installed beside, since nearly every plug-in's metadata asks for it. It is never
imported here. Processes that are started from here are not touched: servers and services get the real one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

NAME = "jupyterhub"
#: Not itself importable, so that no file is ever loaded under two names.
NAMES = Path(__file__).parent / "names"


class AlreadyImported(Exception):
    """A real JupyterHub was imported before Carrel could take its name; the text says from where."""


class NameFinder:
    """Answers for the top-level name alone; what is below follows the package's own path.

    It finds no distributions and lists no modules: metadata goes on telling of what is really installed.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None for other packages'.

        Raises ModuleNotFoundError for modules of JupyterHub's that Carrel does not have, so that plug-ins'
        own ways around missing modules work and everybody else reads why.
        """
        if fullname == NAME:
            return PathFinder.find_spec(fullname, [str(NAMES)], target)
        if fullname.startswith(f"{NAME}.") and PathFinder.find_spec(fullname, path, target) is None:
            raise ModuleNotFoundError(f"Carrel has no module {fullname} for plug-ins", name=fullname)
        return None

    def invalidate_caches(self) -> None:
        """Do nothing: PathFinder keeps the caches."""


def install() -> None:
    """Make `import jupyterhub` mean Carrel's from now on; may be repeated.

    Raises AlreadyImported when another one is loaded.
    """
    if any(isinstance(finder, NameFinder) for finder in sys.meta_path):
        return
    loaded = sys.modules.get(NAME)
    if loaded is not None:
        where = getattr(loaded, "__file__", None) or "an unknown place"
        raise AlreadyImported(
            f"The package jupyterhub was imported from {where} before Carrel could stand in for it: "
            "look in sitecustomize and .pth files for what imports it"
        )
    sys.meta_path.insert(0, NameFinder())
