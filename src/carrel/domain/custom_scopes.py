"""Scopes that a configuration adds for its services; the hub gives them out and never asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from carrel.domain.scope_catalog import SCOPES, ScopeInfo

_NAME = re.compile(r"custom:[a-z0-9][a-z0-9_*:-]+[a-z0-9_*]")


def read_custom_scopes(definitions: Mapping[str, Any]) -> list[ScopeInfo]:
    """Return the scopes that are defined right; `faults` tells of the others."""
    return [_read(name, each) for name, each in definitions.items() if not _faults(name, each, definitions)]


def faults(definitions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each wrong definition and what would be right; the rules are JupyterHub's."""
    for name, each in definitions.items():
        for text in _faults(name, each, definitions):
            yield name, text


def _read(name: str, definition: Mapping[str, Any]) -> ScopeInfo:
    return ScopeInfo(name, definition["description"], tuple(definition.get("subscopes", ())))


def _faults(name: str, definition: object, all_of_them: Mapping[str, Any]) -> list[str]:
    found = []
    if not _NAME.fullmatch(name):
        found.append(
            "a custom scope is custom: and lower-case letters, digits and _*:- ; "
            "it begins with a letter or digit after custom: and ends with none of - and :"
        )
    if not isinstance(definition, Mapping) or not isinstance(definition.get("description"), str):
        return [*found, "it must be a dictionary with a text as its description"]
    subscopes = definition.get("subscopes", [])
    if not isinstance(subscopes, list | tuple) or not all(isinstance(each, str) for each in subscopes):
        return [*found, "its subscopes must be a list of names of custom scopes"]
    for each in subscopes:
        if each in SCOPES:
            found.append(f"its subscope {each} is not a custom one: give both in a role instead")
        elif each not in all_of_them:
            near = get_close_matches(each[:80], list(all_of_them), n=1)
            found.append(
                f"its subscope {each[:80]!r} is not defined" + (f"; did you mean {near[0]}?" if near else "")
            )
    return found
