"""THE list of cases, by noun."""

from __future__ import annotations

from tests.compat.beside.asking import Case
from tests.compat.beside.cases import (
    bodies,
    groups,
    hub,
    identity,
    lists,
    methods,
    named_servers,
    oauth,
    pages,
    servers,
    services,
    shares,
    tokens,
    users,
)

_NOUNS = (
    *(identity, hub, users, bodies, lists, tokens, servers, named_servers),
    *(services, shares, groups, pages, oauth, methods),
)
#: Every case.
CASES: tuple[Case, ...] = tuple(case for noun in _NOUNS for case in noun.CASES) + users.LAST
