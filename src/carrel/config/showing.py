"""Values of a configuration made fit to be shown: no secrets, and no longer than asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from traitlets.config.loader import DeferredConfig, LazyConfigValue

from carrel.lib.redaction import STARS, clean, is_secret_name

_SHORT = 72
#: Names, of settings and of variables, whose texts are secret; those of files, addresses and sizes are not.
_SECRET = re.compile(
    r"(?i)secret|token|passw|passphrase|credential|(api|access|private|signing)_?key|hashes|^keys$"
)
_HARMLESS = re.compile(r"(?i)_(url|uri|file|path|class|name|names|claim|scopes|prompt|template)$")


def hides(name: str) -> bool:
    """Tell whether texts under this name are kept from view."""
    return is_secret_name(name) or (bool(_SECRET.search(name)) and not _HARMLESS.search(name))


def plain(name: str, value: Any) -> Any:
    """Return a value as JSON has it: functions and classes by their names, secrets as stars."""
    if isinstance(value, DeferredConfig):
        value = list(value) if isinstance(value, list) else str(value)
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, type):
        return f"class {value.__name__}"
    if callable(value):
        return f"function {getattr(value, '__name__', type(value).__name__)}"
    if isinstance(value, bytes) or (value and hides(name)):
        return STARS if value else ""
    if isinstance(value, str):
        return clean(value)
    return _contents(name, value)


def _contents(name: str, value: Any) -> Any:
    """Return what is in a container; of any other object no more than its class, for it may show anything."""
    if isinstance(value, LazyConfigValue):
        return {verb: plain(name, what) for verb, what in value.to_dict().items()}
    if isinstance(value, Mapping):
        return {str(key): plain(str(key), each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(name, each) for each in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(name, each) for each in value]
    return f"<{type(value).__name__}>"


def show(name: str, value: Any, longest: int = _SHORT) -> str:
    """Return a value as one would write it in Python, shortened to `longest` characters."""
    if isinstance(value, LazyConfigValue):
        return "; ".join(f"{verb} {show(name, what, longest)}" for verb, what in value.to_dict().items())
    fit = plain(name, value)
    if fit == STARS or isinstance(value, type) or callable(value):
        shown = str(fit)
    elif isinstance(value, set | frozenset):
        shown = f"{{{', '.join(map(repr, fit))}}}" if fit else "set()"
    else:
        shown = repr(tuple(fit) if isinstance(value, tuple) else fit)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
