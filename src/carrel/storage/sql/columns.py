"""JSON in a text column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, literal_column

from carrel.domain.errors import Invalid

#: Of secrets that begin alike, so many are compared with one that was sent: each takes its time.
MOST_SALTED = 50


def is_salted(hashed: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a digest is one of JupyterHub's, `algorithm:rounds:salt:digest`."""
    return hashed.like(literal_column("'%:%'"))


def to_json(value: object) -> str:
    """Return `value` as JSON text; raise Invalid when it has none."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"This cannot be stored as JSON: {error}") from error


def from_json(text: str) -> Any:
    """Return what `to_json` was given, with lists for tuples."""
    return msgspec.json.decode(text)


def to_scopes(text: str) -> tuple[str, ...]:
    """Return the names in a JSON list."""
    return tuple(cast(Sequence[str], msgspec.json.decode(text)))
