"""THE list of cases, by noun."""

from __future__ import annotations

from tests.compat.beside.asking import Case
from tests.compat.beside.cases import (
    hub,
    identity,
    lists,
    methods,
    missing,
    named_servers,
    pages,
    servers,
    tokens,
    users,
)

_NOUNS = (identity, hub, users, lists, tokens, servers, named_servers, missing, pages, methods)
#: Every case.
CASES: tuple[Case, ...] = tuple(case for noun in _NOUNS for case in noun.CASES) + users.LAST
