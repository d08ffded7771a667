"""Expanding `{username}` in settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

_OLD_MARK = "%U"
_log = logging.getLogger("carrel.spawners")


def expand(template: str, names: Mapping[str, Any]) -> str:
    """Return `template` with `{name}` replaced by what `names` says; `%U`, of old, means `{username}`.

    Raises ValueError, naming what could be written, for an unknown name or unbalanced braces.
    """
    if _OLD_MARK in template:
        _log.warning("%r: write {username} instead of %%U", template)
        template = template.replace(_OLD_MARK, "{username}")
    try:
        return template.format(**names)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in names)
        raise ValueError(f"{template!r} cannot be expanded ({error}); it may use {known}") from None
