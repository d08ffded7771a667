"""Names of users and servers, and the paths and client ids that are made of them."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.errors import Invalid
from carrel.domain.names import (
    check_display_name,
    check_server_name,
    check_user_name,
    client_id,
    escape,
    server_prefix,
    server_slug,
)
from carrel.domain.paging import Page


@pytest.mark.parametrize(
    "name", ["ada", "Ada.Lovelace", "ada@home", "ада", "a b", "per%cent", "x" * 255, "..."]
)
def test_a_good_user_name(name: str) -> None:
    assert check_user_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ada", "ada ", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "x" * 256, "a\u202eb"]
)
def test_a_bad_user_name(name: str) -> None:
    with pytest.raises(Invalid):
        check_user_name(name)


@pytest.mark.parametrize("name", ["a", "gpu", "gpu-1", "a1-b2-c3", "x" * 30])
def test_a_good_server_name(name: str) -> None:
    assert check_server_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a/b", "ä", "x" * 31])
def test_a_bad_server_name(name: str) -> None:
    with pytest.raises(Invalid):
        check_server_name(name)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_an_escaped_name_is_one_segment_and_comes_back(name: str) -> None:
    escaped = escape(name)
    assert "/" not in escaped
    assert escaped.isascii()
    assert unquote(escaped) == name


def test_paths_and_ids() -> None:
    assert server_prefix("/", "a b@c") == "/user/a%20b@c/"
    assert server_prefix("/hub1/", "ada", "gpu") == "/hub1/user/ada/gpu/"
    assert client_id("a b@c") == "jupyterhub-user-a%20b%40c"
    assert client_id("ada", "gpu") == "jupyterhub-user-ada!gpu"


def test_no_two_servers_have_one_client_id() -> None:
    users, servers = ("ada", "ada-gpu", "ada!gpu", "ada%21gpu", "a!b"), ("", "gpu", "a-gpu", "gpu-a", "!gpu")
    ids = {client_id(user, server) for user in users for server in servers}
    assert len(ids) == len(users) * len(servers)
    # RFC 6265: a cookie's name is a token.
    assert all(re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", each, re.ASCII) for each in ids)


@pytest.mark.parametrize("name", ["GPU", "Äpfel & Birnen", "🚀 2", "x" * 255, "a'b\"c<d>"])
def test_what_a_server_may_be_called(name: str) -> None:
    assert check_display_name(name) == name


def test_a_display_name_is_written_in_one_way() -> None:
    assert check_display_name("Zu\u0308rich") == "Zürich"


@pytest.mark.parametrize("name", ["", " a", "a ", "a  b", "a\tb", "a\nb", "a\u200bb", "a\u00a0b", "x" * 256])
def test_what_a_server_may_not_be_called(name: str) -> None:
    with pytest.raises(Invalid, match="Invalid display_name"):
        check_display_name(name)


def test_a_long_name_is_not_repeated_in_full() -> None:
    with pytest.raises(Invalid) as refused:
        check_server_name("X" * 1_000_000)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("offset", "total", "following"), [(0, 5, 2), (2, 5, 4), (4, 5, None), (3, 5, None), (9, 5, None)]
)
def test_the_next_page(offset: int, total: int, following: int | None) -> None:
    assert Page((), offset, 2, total).next_offset == following


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Old Name (2)", "old-name-2"),
        ("Größe", "groe"),
        ("2nd", "server-2nd"),
        ("___", "server"),
        ("данные", "server"),
        ("a" * 29 + "-b", "a" * 29),
        ("A--B", "a-b"),
    ],
)
def test_a_new_name_is_like_the_old_one(name: str, slug: str) -> None:
    assert server_slug(name, [name]) == slug


@given(st.text(min_size=1, max_size=60), st.text(max_size=60))
def test_a_new_name_is_always_good_and_never_taken(name: str, other: str) -> None:
    first = check_server_name(server_slug(name, [name]))
    second = check_server_name(server_slug(name, [name, first]))
    assert second != first
