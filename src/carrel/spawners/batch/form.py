"""A plain form for the requirements that people may choose; what comes back is checked by `values`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from carrel.spawners.batch.values import LABELS


def options_form(choices: Mapping[str, Any], present: Mapping[str, str]) -> str:
    """Return the HTML of a form: a list where there are values to choose from, else a field for text."""
    return "\n".join(_field(name, offered, present.get(name, "")) for name, offered in choices.items())


def _field(name: str, offered: Any, value: str) -> str:
    value, shown = html.escape(value), html.escape(name)
    key = f"batch-{shown}"
    label = f'<label for="{key}">{html.escape(LABELS.get(name, name))}</label>'
    field = f'<input id="{key}" name="{shown}" value="{value}" maxlength="256">'
    if isinstance(offered, list | tuple):
        field = f'<select id="{key}" name="{shown}">{_options(list(map(str, offered)), value)}</select>'
    return f'<p class="field">{label} {field}</p>'


def _options(offered: Sequence[str], value: str) -> str:
    return "".join(_option(html.escape(one), value) for one in offered)


def _option(one: str, value: str) -> str:
    chosen = " selected" if one == value else ""
    return f'<option value="{one}"{chosen}>{one or "–"}</option>'
