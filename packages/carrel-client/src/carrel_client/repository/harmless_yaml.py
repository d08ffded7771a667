"""YAML that strangers have written: small, flat enough to read, and no larger in memory than it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from carrel_client.repository.report import Failed

LARGEST = 256 * 1024
"""Bytes of a file that are read; people write a hundredth of it."""


def read_yaml(file: Path) -> Any:
    """Return what a file says. Raises Failed, which names the file, and the line where there is one."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise Failed(
            f"{file.name} cannot be read: PyYAML is not installed where the server runs.",
            "The administrator has to install it: pip install 'carrel-client[repositories]'.",
        ) from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                # A few lines of them are more than any memory holds, once they are written out.
                raise yaml.MarkedYAMLError(problem="references are not read here", problem_mark=mark)
            return super().compose_node(parent, index)

    with file.open("rb") as opened:
        text = opened.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise Failed(f"{file.name} is larger than {LARGEST // 1024} KiB.", f"Make {file.name} shorter.")
    try:
        return yaml.load(text.decode("utf-8", "replace"), Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        known = problem.problem if type(problem) is yaml.MarkedYAMLError else "this is no proper YAML"
        raise Failed(f"{file.name}{line}: {known}.", f"Correct {file.name}.") from None
    except RecursionError:
        raise Failed(f"{file.name} is nested too deeply.", f"Correct {file.name}.") from None
