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

#: JupyterHub does not always delete those who had named servers: they come after what lists everybody.
_NOUNS = (
    *(identity, hub, users, bodies, lists, tokens, servers, services, shares, groups),
    *(pages, oauth, methods, named_servers),
)
#: Every case.
CASES: tuple[Case, ...] = tuple(case for noun in _NOUNS for case in noun.CASES) + users.LAST
