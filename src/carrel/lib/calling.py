"""Calling functions that were written for fewer arguments than there are today."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def call_fitting(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)`, leaving out the last arguments when it does not take that many."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # builtins may have no signature
        return function(*args)
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return function(*args)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return function(*args[: sum(parameter.kind in positional for parameter in parameters)])
