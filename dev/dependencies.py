"""Prints what Carrel and its client depend on, a requirement a line, for environments without these two."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

hub = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
client = tomllib.loads((ROOT / "packages" / "carrel-client" / "pyproject.toml").read_text())["project"]
needed = hub["dependencies"] + client["dependencies"] + client["optional-dependencies"]["singleuser"]
print("\n".join(each for each in needed if not each.startswith("carrel-client")))
