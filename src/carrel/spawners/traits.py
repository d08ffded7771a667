"""Trait types that plug-ins declare their settings with."""

from __future__ import annotations

import re
from typing import Any

from traitlets import Callable, Integer, List, TraitError, Unicode

__all__ = ["ByteSpecification", "Callable", "Command", "URLPrefix"]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)\s*", re.IGNORECASE)


class Command(List[Any]):
    """A command line: a list of words; a string is one word."""

    def __init__(self, default_value: Any = None, **kwargs: Any) -> None:
        kwargs.setdefault("minlen", 1)
        if isinstance(default_value, str):
            default_value = [default_value]
        super().__init__(Unicode(), default_value, **kwargs)

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the words."""
        return super().validate(obj, [value] if isinstance(value, str) else value)


class URLPrefix(Unicode[str, Any]):
    """A URL path; it gets a slash at both ends."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return the path with its slashes."""
        path = str(super().validate(obj, value))
        return f"/{path.strip('/')}/".replace("//", "/")


class ByteSpecification(Integer[int, Any]):
    """A size in bytes: a number, or text with the suffix K, M, G or T (powers of 1024)."""

    info_text = "a size in bytes, such as 512M or 2G"
    UNIT_SUFFIXES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}  # noqa: RUF012 - the name that plug-ins read

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the number of bytes; raise TraitError when the text is no size."""
        if isinstance(value, bool):
            self.error(obj, value)
        if isinstance(value, int | float):
            return int(value)
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise TraitError(f"{self.name}: {value!r} is no size; write bytes, or a size like 512M")
        number, suffix = match.groups()
        return int(float(number) * self.UNIT_SUFFIXES.get(suffix.upper(), 1))


def setting(trait: Any, text: str) -> Any:
    """Return the trait as one that a configuration may set, with its help."""
    trait.help = text
    return trait.tag(config=True)
