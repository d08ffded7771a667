"""How much of a thing one body may hold; a field with more is refused before anything looks at it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

_MOST = 10_000

#: A name, or a scope with its filter. What really is one is checked where it is used.
Name = Annotated[str, Meta(max_length=1024)]
Names = Annotated[list[Name], Meta(max_length=_MOST)]
#: What people write about a thing.
Note = Annotated[str, Meta(max_length=1024)]
#: For objects whose keys are names.
MANY = Meta(max_length=_MOST)
