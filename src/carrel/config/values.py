"""One setting's value: what the configuration says, turned into the type that the schema asks for."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Callable
from dataclasses import Field
from typing import Any

from traitlets.config.loader import DeferredConfig, DeferredConfigList, DeferredConfigString, LazyConfigValue

from carrel.config.showing import plain, show

SECRET_LENGTH = 32
"""Bytes that a cookie secret has at least."""

_SECRET_NAME = re.compile(
    r"secret|password|passwd|token|(^|_)keys?$|cookie|credential|db_url|oauth_clients|^services$",
    re.IGNORECASE,
)
_SECRET_FORM = f"it must be {SECRET_LENGTH} bytes, or hex text as `openssl rand -hex 32` prints"
#: Characters of a value that an error message repeats.
_SHOWN = 60
_CLASS_SETTINGS = ("authenticator_class", "spawner_class", "proxy_class")


class Unfit(ValueError):
    """A value that its setting cannot take; the text says what would be right."""


def read_value(field: Field[Any], default: Any, raw: Any) -> Any:
    """Return the value of a setting.

    `raw` is a Python value of a file, a text of the command line, or traitlets' record of `append` and
    `update` calls, which apply to `default`. Raises Unfit.
    """
    if isinstance(raw, LazyConfigValue):
        return raw.get_value(default)
    if field.name in _CLASS_SETTINGS:
        return _class(raw)
    if field.name in ("default_url", "subdomain_hook"):
        return raw if callable(raw) else _text(raw)
    if field.name == "named_server_limit_per_user" and callable(raw):
        return raw
    if field.name == "user_redirect_hook":
        return _callable_or_none(raw)
    if field.name == "log_level":
        return _log_level(raw)
    if field.type == "bytes":
        return _secret(raw)
    try:
        return _READERS["int" if field.name == "named_server_limit_per_user" else str(field.type)](raw)
    except Unfit as error:
        raise Unfit(f"{error}, not {describe(field.name, raw)}{_quoted_number(field, raw)}") from None


def describe(name: str, value: Any) -> str:
    """Return a value for an error message: short, and without its content when the name sounds secret."""
    kind = type(value).__name__ if not isinstance(value, DeferredConfig) else "text"
    kind = {"str": "text", "NoneType": "None"}.get(kind, kind)
    if value is None or _SECRET_NAME.search(name):
        return kind if value is None else f"a {kind}"
    if callable(value):
        return f"the {plain(name, value)}"
    # What stands in it may be secret under any name: passwords in addresses, tokens in variables.
    return f"the {kind} {show(name, value, _SHOWN)}"


def _quoted_number(field: Field[Any], raw: Any) -> str:
    quoted = type(raw) is str and field.type in {"int", "float"} and re.fullmatch(r"\d+(\.\d+)?", raw)
    return ": remove the quotes" if quoted else ""


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return str(raw)
    raise Unfit("it must be a text in quotes")


def _whole(raw: Any) -> int:
    if isinstance(raw, DeferredConfigString) and re.fullmatch(r"[+-]?\d+", raw.strip()):
        return int(raw)
    if isinstance(raw, DeferredConfigString) and re.fullmatch(r"0o[0-7]+", raw.strip()):
        return int(raw, 8)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    raise Unfit("it must be a whole number")


def _number(raw: Any) -> float:
    if isinstance(raw, DeferredConfigString) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", raw.strip()):
        return float(raw)
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw)
    raise Unfit("it must be a number")


def _truth(raw: Any) -> bool:
    if isinstance(raw, DeferredConfigString) and raw.lower() in {"true", "1", "false", "0"}:
        return raw.lower() in {"true", "1"}
    if isinstance(raw, bool):
        return raw
    raise Unfit("it must be True or False")


def _truth_or_none(raw: Any) -> bool | None:
    return None if raw is None or (isinstance(raw, DeferredConfigString) and raw == "None") else _truth(raw)


def _range_or_none(raw: Any) -> tuple[float, float] | None:
    if isinstance(raw, DeferredConfigString):
        raw = _literal(raw)
    if raw is None:
        return None
    if isinstance(raw, tuple | list) and len(raw) == 2:
        low, high = (_number(each) for each in raw)
        if 0 <= low <= high:
            return low, high
    raise Unfit("it must be two numbers, the smaller one first, such as (30, 60)")


def _texts(raw: Any) -> list[str]:
    if isinstance(raw, DeferredConfigString):
        raw = _literal(raw) if raw.lstrip().startswith("[") else [raw]
    if isinstance(raw, list | tuple) and all(isinstance(item, str) for item in raw):
        return [str(item) for item in raw]
    raise Unfit("it must be a list of texts, such as ['/srv/templates']")


def _entries(raw: Any) -> list[Any]:
    if isinstance(raw, DeferredConfigString):
        raw = _literal(raw)
    if isinstance(raw, list | tuple):
        # What each entry must hold is told by whoever reads them, with their names.
        return list(raw)
    raise Unfit("it must be a list of dictionaries")


def _things(raw: Any) -> list[Any]:
    if isinstance(raw, list | tuple):
        return list(raw)
    raise Unfit("it must be a list")


def _set_of_texts(raw: Any) -> set[str]:
    if isinstance(raw, DeferredConfigString):
        raw = _literal(raw) if raw.lstrip().startswith(("[", "{")) else [raw]
    if isinstance(raw, set | frozenset | list | tuple) and all(isinstance(item, str) for item in raw):
        return {str(item) for item in raw}
    raise Unfit("it must be a set of texts, such as {'read:hub'}")


def _mapping(raw: Any) -> dict[str, Any]:
    if isinstance(raw, DeferredConfigString):
        raw = _literal(raw)
    elif isinstance(raw, DeferredConfigList):
        raw = dict(item.partition("=")[::2] for item in raw)
    if isinstance(raw, dict) and all(isinstance(key, str) for key in raw):
        return dict(raw)
    raise Unfit("it must be a dictionary with text keys")


def _names_by_text(raw: Any) -> dict[str, str]:
    found = _mapping(raw)
    if all(isinstance(value, str) for value in found.values()):
        return found
    raise Unfit("it must be a dictionary of texts, such as {'TOKEN': 'NAME'}")


def _secret(raw: Any) -> bytes:
    if isinstance(raw, str):
        try:
            raw = bytes.fromhex(raw)
        except ValueError:
            raise Unfit(_SECRET_FORM) from None
    if not isinstance(raw, bytes):
        raise Unfit(_SECRET_FORM)
    if len(raw) < SECRET_LENGTH:
        raise Unfit(f"it must have at least {SECRET_LENGTH} bytes and has {len(raw)}")
    return raw


def _literal(raw: str) -> Any:
    try:
        return ast.literal_eval(raw)
    except (ValueError, SyntaxError):
        return None


def _log_level(raw: Any) -> int | str:
    names = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    if isinstance(raw, str):
        if raw.isdigit():
            return int(raw)
        name = {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(raw.upper(), raw.upper())
        if name in names:
            return name
    raise Unfit(
        f"it must be one of {', '.join(names)} or a number such as {logging.DEBUG}, "
        f"not {describe('log_level', raw)}"
    )


def _callable_or_none(raw: Any) -> Any:
    if raw is None or callable(raw):
        return raw
    raise Unfit(f"it must be a callable or None, not {describe('hook', raw)}")


def _class(raw: Any) -> Any:
    if isinstance(raw, type) or (isinstance(raw, str) and raw.strip()):
        return str(raw) if isinstance(raw, str) else raw
    raise Unfit(
        "it must be a class, a dotted name such as 'package.module.Class', or an entry point's name, "
        f"not {describe('class', raw)}"
    )


#: What each type of a setting is called, for people.
TYPE_WORDS = {
    "str": "text",
    "bytes": "32 bytes, or hex text",
    "int": "a whole number",
    "int | str": "a number or text",
    "float": "a number",
    "bool": "True or False",
    "bool | None": "True, False or None",
    "tuple[float, float] | None": "two numbers",
    "list[str]": "a list of texts",
    "list[dict[str, Any]]": "a list of dictionaries",
    "set[str]": "a set of texts",
    "dict[str, Any]": "a dictionary",
    "dict[str, str]": "a dictionary of texts",
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "bool | None": _truth_or_none,
    "tuple[float, float] | None": _range_or_none,
    "list[str]": _texts,
    "list[dict[str, Any]]": _entries,
    "list[Any]": _things,
    "set[str]": _set_of_texts,
    "dict[str, Any]": _mapping,
    "dict[str, str]": _names_by_text,
}
