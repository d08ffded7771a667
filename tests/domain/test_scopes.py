"""Reading, expanding, intersecting and asking scopes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.errors import Invalid
from carrel.domain.scope_catalog import CLOSURE, METASCOPES, SCOPES
from carrel.domain.scopes import (
    Scope,
    Scopes,
    access_scopes,
    allows,
    expand,
    groups_named,
    intersect,
    parse,
    reduce,
    users_named,
)


def test_the_catalog_knows_every_scope_and_each_subscope_is_in_it() -> None:
    assert len(SCOPES) == 48
    assert all(set(row.subscopes) <= set(SCOPES) for row in SCOPES.values())
    assert all(row.text.endswith(".") for row in SCOPES.values())


def test_subscopes_come_along_at_every_depth() -> None:
    assert CLOSURE["admin:users"] == {
        "admin:users",
        "admin:auth_state",
        "users",
        "read:roles:users",
        "delete:users",
        "read:users",
        "list:users",
        "users:activity",
        "read:users:name",
        "read:users:groups",
        "read:users:activity",
    }


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("read:users", Scope("read:users")),
        ("users:activity!user", Scope("users:activity", "user")),
        ("access:servers!server", Scope("access:servers", "server")),
        ("access:services!service", Scope("access:services", "service")),
        ("users!user=alice", Scope("users", "user", "alice")),
        ("servers!server=alice/lab", Scope("servers", "server", "alice/lab")),
        ("access:servers!server=alice/", Scope("access:servers", "server", "alice/")),
        ("groups!group=a class", Scope("groups", "group", "a class")),
        ("users!user=a=b!c", Scope("users", "user", "a=b!c")),
        ("self", Scope("self")),
        ("(no_scope)", Scope("(no_scope)")),
    ],
)
def test_a_scope_is_read_into_its_parts_and_written_back(text: str, scope: Scope) -> None:
    assert parse(text) == scope
    assert str(scope) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reed:users", "Did you mean 'read:users'?"),
        ("Users", "Did you mean 'users'?"),
        ("", "no scope ''"),
        ("users!usr=alice", "Did you mean 'user'?"),
        ("users!", "no filter ''"),
        ("users!user=", "empty"),
        ("users!group", "!group=NAME"),
        ("servers!server=alice", "USER/SERVER"),
        ("self!user=bob", "takes no filter"),
        ("inherit!user=bob", "takes no filter"),
        ("custom:thing", "no scope"),
    ],
)
def test_a_wrong_scope_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=r".") as caught:
        parse(text)
    assert says in str(caught.value)


def test_a_long_wrong_scope_is_not_repeated_at_full_length() -> None:
    with pytest.raises(Invalid) as caught:
        parse("x" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_expanding_keeps_the_filter_on_every_subscope() -> None:
    assert expand(["list:users!user=al", "tokens!group=g"]) == {
        "list:users!user=al",
        "read:users:name!user=al",
        "tokens!group=g",
        "read:tokens!group=g",
    }


def test_a_scope_on_one_server_says_nothing_about_its_owner() -> None:
    assert expand(["servers!server=alice/lab"]) == {
        "servers!server=alice/lab",
        "read:servers!server=alice/lab",
        "start:servers!server=alice/lab",
        "delete:servers!server=alice/lab",
    }


def test_filters_without_a_value_are_filled_with_the_owners_own() -> None:
    scopes = ["users:activity!user", "access:servers!server", "access:services!service"]
    assert expand(scopes, "alice", server="alice/lab", service="grader") == {
        "users:activity!user=alice",
        "read:users:activity!user=alice",
        "access:servers!server=alice/lab",
        "access:services!service=grader",
    }
    assert expand(scopes) == set()


@pytest.mark.parametrize("scope", sorted(METASCOPES))
def test_a_metascope_grants_nothing_without_somebody_to_stand_for(scope: str) -> None:
    assert expand([scope]) == set()


def test_a_covered_scope_is_left_out() -> None:
    assert reduce(["read:users", "read:users!user=alice", "read:users!group=g"]) == {"read:users"}
    assert reduce(["servers!user=alice", "servers!server=alice/lab", "servers!server=bob/"]) == {
        "servers!user=alice",
        "servers!server=bob/",
    }


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ({"users"}, {"users!user=a"}, {"users!user=a"}),
        ({"servers!user=a"}, {"servers!server=a/b"}, {"servers!server=a/b"}),
        ({"servers!user=a"}, {"servers!server=ab/b"}, set()),
        ({"servers!server=a/b"}, {"servers!server=a/c"}, set()),
        ({"users!group=g"}, {"users!user=a"}, set()),
        ({"users!group=g"}, {"users!group=g", "users!user=a"}, {"users!group=g"}),
        ({"access:services!service=x"}, {"access:services"}, {"access:services!service=x"}),
        ({"users"}, {"users", "users!user=a"}, {"users"}),
        ({"read:users"}, {"read:groups"}, set()),
        ({"users!user=g"}, {"users!group=g"}, set()),
        (set(), {"users"}, set()),
    ],
)
def test_intersections(a: set[str], b: set[str], both: set[str]) -> None:
    assert intersect(a, b) == both


_USERS, _SERVERS = ("a", "b"), ("a/", "a/x", "b/")
_GROUPS, _SERVICES = ("g", "a"), ("s", "g")
_RESOURCES = {"user": _USERS, "server": _SERVERS, "group": _GROUPS, "service": _SERVICES}
_NAMES = ("users", "servers", "access:servers", "groups")
_scopes = st.frozensets(
    st.one_of(
        st.sampled_from(_NAMES),
        *(
            st.builds("{}!{}={}".format, st.sampled_from(_NAMES), st.just(kind), st.sampled_from(values))
            for kind, values in _RESOURCES.items()
        ),
    ),
    max_size=8,
)


def _meaning(scopes: Iterable[str]) -> set[tuple[str, str, str]]:
    """The model to compare with: what is allowed, written out for each resource of a small world."""
    atoms = set()
    for text in scopes:
        name, _, condition = text.partition("!")
        kind, _, value = condition.partition("=")
        for resource, values in _RESOURCES.items():
            for candidate in values:
                own = kind == "user" and resource == "server" and candidate.startswith(f"{value}/")
                if not kind or (kind, value) == (resource, candidate) or own:
                    atoms.add((name, resource, candidate))
        if not kind:
            atoms.add((name, "", ""))
    return atoms


@given(_scopes, _scopes)
def test_an_intersection_is_what_both_allow_no_more_and_no_less(a: frozenset[str], b: frozenset[str]) -> None:
    assert _meaning(intersect(a, b)) == _meaning(a) & _meaning(b)


@given(_scopes, _scopes)
def test_the_order_of_an_intersection_does_not_matter(a: frozenset[str], b: frozenset[str]) -> None:
    assert intersect(a, b) == intersect(b, a)


@given(_scopes, _scopes, _scopes)
def test_an_intersection_of_three_is_the_same_from_either_end(
    a: frozenset[str], b: frozenset[str], c: frozenset[str]
) -> None:
    assert intersect(intersect(a, b), c) == intersect(a, intersect(b, c))


_MEMBERS = st.fixed_dictionaries({user: st.sets(st.sampled_from(_GROUPS)) for user in _USERS})


def _meaning_with(scopes: Iterable[str], groups: Mapping[str, set[str]]) -> set[tuple[str, str, str]]:
    """The same model where it is known who is in which group."""
    scopes = set(scopes)
    by_group = {
        f"{text.partition('!')[0]}!user={user}"
        for text in scopes
        for user, names in groups.items()
        if text.partition("!group=")[2] in names
    }
    return _meaning(scopes | by_group)


@given(_scopes, _scopes, _MEMBERS)
def test_an_intersection_counts_members_of_groups(
    a: frozenset[str], b: frozenset[str], groups: dict[str, set[str]]
) -> None:
    both = intersect(a, b, groups)
    assert intersect(b, a, groups) == both
    # Never more than both allow, and no less for whom either names.
    assert _meaning_with(both, groups) <= _meaning_with(a, groups) & _meaning_with(b, groups)
    for scope in a:
        if "!" in scope and "!group" not in scope and Scopes(b).covers(scope, groups):
            assert Scopes(both).covers(scope, groups)


@given(_scopes, _MEMBERS)
def test_a_scope_for_a_group_covers_those_for_its_members(
    a: frozenset[str], groups: dict[str, set[str]]
) -> None:
    held, meaning = Scopes(a), _meaning_with(a, groups)
    for name in _NAMES:
        for kind, values in _RESOURCES.items():
            for value in values:
                assert held.covers(f"{name}!{kind}={value}", groups) == ((name, kind, value) in meaning)


def test_whom_scopes_name() -> None:
    scopes = {"users!user=a", "servers!server=b/x", "users!group=g", "users"}
    assert users_named(scopes) == {"a", "b"}
    assert groups_named(scopes) == {"g"}


@given(_scopes)
def test_an_intersection_with_itself_changes_no_right(a: frozenset[str]) -> None:
    assert intersect(a, a) == reduce(a)
    assert _meaning(reduce(a)) == _meaning(a)
    assert reduce(reduce(a)) == reduce(a)


@given(_scopes)
def test_expanding_again_changes_nothing(a: frozenset[str]) -> None:
    assert expand(expand(a)) == expand(a)
    assert _meaning(a) <= _meaning(expand(a))


@given(_scopes)
def test_questions_are_answered_as_the_model_does(a: frozenset[str]) -> None:
    held, meaning = Scopes(a), _meaning(a)
    for name in _NAMES:
        assert held.allows(name) == held.covers(name) == ((name, "", "") in meaning)
        for user in _USERS:
            assert held.allows(name, user=user) == ((name, "user", user) in meaning)
        for server in _SERVERS:
            assert held.allows(name, server=server) == ((name, "server", server) in meaning)
        for group in _GROUPS:
            assert held.allows(name, group=group) == ((name, "group", group) in meaning)
        for service in _SERVICES:
            assert held.allows(name, service=service) == ((name, "service", service) in meaning)
        for kind, values in _RESOURCES.items():
            for value in values:
                assert held.covers(f"{name}!{kind}={value}") == ((name, kind, value) in meaning)


def test_a_filtered_scope_is_not_enough_when_no_resource_is_named() -> None:
    assert not allows({"list:users!user=alice"}, "list:users")
    assert not allows({"list:users!group=g"}, "list:users")
    assert not allows({"list:users!user=None"}, "list:users", server="x/")


def test_a_groups_scope_reaches_its_members_and_their_servers() -> None:
    held = Scopes({"servers!group=g"})
    assert held.allows("servers", user="alice", groups=["f", "g"])
    assert held.allows("servers", server="alice/lab", groups=["g"])
    assert not held.allows("servers", user="alice", groups=["f"])
    assert not held.allows("servers", user="alice")
    assert not held.allows("servers", groups=["g"])


@pytest.mark.parametrize(
    "question",
    [
        {"user": "alice", "group": "g"},
        {"group": "g", "service": "s"},
        {"server": "alice/", "service": "s"},
        {"user": "bob", "server": "alice/lab"},
        {"server": "lab"},
    ],
)
def test_a_question_about_two_things_at_once_is_refused(question: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"one resource|in full"):
        allows({"servers!user=alice"}, "servers", **question)


def test_either_access_scope_opens_a_server() -> None:
    by_server, by_user = access_scopes("alice", "lab")
    assert allows({by_server}, "access:servers", server="alice/lab")
    assert allows({by_user}, "access:servers", server="alice/lab")
    assert not allows({by_server}, "access:servers", server="alice/")
