"""Faults put into the hub on purpose: what the simulation is worth is whether it finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Run the block with a fault in the hub; an empty name plants nothing."""
    yield
