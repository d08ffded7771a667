"""Whose scopes open a server."""

from __future__ import annotations

import pytest
from singleuser_fakehub import ACCESS

from carrel_client.auth.access import may_enter


@pytest.mark.parametrize(
    ("held", "admitted"),
    [
        (["access:servers!user=alice"], True),
        (["access:servers!server=alice/"], True),
        (["read:users:name!user=bob", "access:servers!server=alice/"], True),
        (["access:servers"], True),
        ([], False),
        (["access:servers!user=bob"], False),
        (["access:servers!server=alice/other"], False),
        (["access:servers!group=class"], False),
        (["access:services"], False),
        (["read:servers", "admin:users"], False),
        (["access"], False),
        (["access:servers!"], False),
    ],
)
def test_scopes_that_open_alices_server(held: list[str], admitted: bool) -> None:
    assert may_enter(frozenset(held), frozenset(ACCESS)) is admitted


def test_a_server_that_asks_for_nothing_admits_nobody() -> None:
    assert not may_enter(frozenset({"access:servers", "admin:servers"}), frozenset())
