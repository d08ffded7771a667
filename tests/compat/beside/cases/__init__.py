"""THE list of cases, by noun."""

from __future__ import annotations

from tests.compat.beside.asking import Case
from tests.compat.beside.cases import (
    bodies,
    hub,
    identity,
    lists,
    methods,
    missing,
    pages,
    servers,
    tokens,
    users,
)

_NOUNS = (identity, hub, users, bodies, lists, tokens, servers, missing, pages, methods)
#: Every case.
CASES: tuple[Case, ...] = tuple(case for noun in _NOUNS for case in noun.CASES) + users.LAST
