"""What the built-in roles give. The expected sets were read off a running JupyterHub 6.1."""

from __future__ import annotations

import pytest

from carrel.domain.errors import Invalid
from carrel.domain.roles import DEFAULT_ROLES, scopes_of_server_token, scopes_of_token, scopes_of_user
from carrel.domain.scope_catalog import METASCOPES, SCOPES
from carrel.domain.scopes import Scopes, intersect

ALICE = {
    f"{name}!user=alice"
    for name in (
        "access:servers",
        "delete:servers",
        "read:servers",
        "read:shares",
        "read:tokens",
        "read:users",
        "read:users:activity",
        "read:users:groups",
        "read:users:name",
        "read:users:shares",
        "servers",
        "start:servers",
        "tokens",
        "users:activity",
        "users:shares",
    )
}


def test_the_four_roles_have_jupyterhubs_names() -> None:
    assert list(DEFAULT_ROLES) == ["user", "admin", "server", "token"]


def test_a_user_may_do_everything_with_what_is_theirs() -> None:
    assert scopes_of_user("alice", admin=False) == ALICE


def test_an_admin_holds_every_scope_unfiltered() -> None:
    assert scopes_of_user("root", admin=True) == set(SCOPES) - METASCOPES


def test_a_servers_token_reports_activity_and_opens_that_server() -> None:
    assert scopes_of_server_token("alice") == {
        "users:activity!user=alice",
        "read:users:activity!user=alice",
        "read:users:name!user=alice",
        "read:users:groups!user=alice",
        "access:servers!server=alice/",
    }
    assert Scopes(scopes_of_server_token("alice", "lab")).allows("access:servers", server="alice/lab")


def test_a_servers_token_reaches_nothing_of_others() -> None:
    held = Scopes(scopes_of_server_token("alice", "lab"))
    assert not held.allows("access:servers", server="alice/")
    assert not held.allows("users:activity", user="bob")
    assert not held.allows("servers", server="alice/lab")


def test_a_token_that_inherits_may_do_what_its_owner_may() -> None:
    held = scopes_of_user("alice", admin=False)
    assert scopes_of_token(["inherit"], held, "alice") == held


def test_a_token_never_holds_more_than_its_owner() -> None:
    held = scopes_of_user("alice", admin=False)
    token = scopes_of_token(["admin:users", "servers!user=bob", "read:servers"], held, "alice")
    assert token == intersect(token, held)
    assert token == {
        "read:servers!user=alice",
        "read:users:name!user=alice",
        "read:users:groups!user=alice",
        "read:users!user=alice",
        "read:users:activity!user=alice",
        "users:activity!user=alice",
    }


def test_an_empty_token_tells_only_whose_it_is() -> None:
    held = scopes_of_user("root", admin=True)
    expected = {"read:users:name!user=root", "read:users:groups!user=root"}
    assert scopes_of_token([], held, "root") == expected
    assert scopes_of_token(["(no_scope)"], held, "root") == expected


def test_an_admins_token_for_self_is_for_the_admin_alone() -> None:
    held = scopes_of_user("alice", admin=True)
    assert scopes_of_token(["self"], held, "alice") == ALICE


def test_a_token_with_an_unknown_scope_is_refused() -> None:
    with pytest.raises(Invalid, match="no scope"):
        scopes_of_token(["serfers"], frozenset(), "alice")
