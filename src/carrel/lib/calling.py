"""Functions of deployers: calling those written for fewer arguments, telling those that stand for a value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Callable as CallableTrait
from traitlets import TraitType, Union


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


def is_asked(trait: TraitType[Any, Any], value: Any) -> bool:
    """Tell whether a setting's value is a function to be asked for it: the setting takes no functions."""
    if not callable(value) or isinstance(value, type):
        return False
    takers = trait.trait_types if isinstance(trait, Union) else [trait]
    return not any(isinstance(each, CallableTrait) or type(each) is AnyTrait for each in takers)
