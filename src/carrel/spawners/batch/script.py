"""Making the script of a job from its template."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from carrel.spawners.errors import StartError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_JINJA = ("{{", "{%")


def render(setting: str, template: str, values: Mapping[str, Any]) -> str:
    """Return a template with the values filled in: by Jinja2 where it has `{{` or `{%`, else by braces.

    Raises StartError, which names the setting, for names that do not exist and for what is no template.
    """
    try:
        if any(mark in template for mark in _JINJA):
            return str(_compiled(template).render(values))
        return template.format_map(values)
    except KeyError as error:
        raise StartError(f"{setting} names {error}, which there is not.", _hint(setting, values)) from error
    except Exception as error:
        raise StartError(f"{setting} is no template: {error}", _hint(setting, values)) from error


def exports(environment: Mapping[str, str]) -> str:
    """Return lines for a shell that set these variables, whatever is in their values."""
    named = {name: value for name, value in environment.items() if _VARIABLE.fullmatch(name)}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in named.items())


def _compiled(template: str) -> Any:
    # Only who has jobs needs it here.
    from jinja2 import Environment

    return Environment(autoescape=False, keep_trailing_newline=True).from_string(template)  # noqa: S701


def _hint(setting: str, values: Mapping[str, Any]) -> str:
    return f"The administrator has to correct {setting}; there are {', '.join(sorted(values))}."
