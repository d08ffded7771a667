"""THE list of cases, by noun."""

from __future__ import annotations

from tests.compat.beside.asking import Case
from tests.compat.beside.cases import (
    hub,
    identity,
    lists,
    methods,
    missing,
    oauth,
    pages,
    servers,
    tokens,
    users,
)

_NOUNS = (identity, hub, users, lists, tokens, servers, missing, pages, oauth, methods)
#: Every case.
CASES: tuple[Case, ...] = tuple(case for noun in _NOUNS for case in noun.CASES) + users.LAST
