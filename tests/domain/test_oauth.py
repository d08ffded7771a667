"""What clients ask for, in words and as it is stored."""

from __future__ import annotations

import pytest

from carrel.domain.oauth import (
    OAuthClient,
    fill_filter,
    origin_of,
    read_scopes,
    with_own_filters,
    write_scopes,
)


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("", ()),
        ("groups profile", ("groups", "profile")),
        ("openid groups groups", ("oidc:openid", "oidc:groups")),
        ("read:users!user openid", ("read:users!user", "oidc:openid")),
        ("openid offline_access phone", ("oidc:openid", "oidc:offline_access", "phone")),
        # Nobody gets at the marks from outside.
        ("oidc:openid oidc:email users", ("users",)),
    ],
)
def test_words_become_scopes(text: str, scopes: tuple[str, ...]) -> None:
    assert read_scopes(text) == scopes


def test_scopes_become_words() -> None:
    assert write_scopes(["oidc:openid", "oidc:groups", "groups"]) == "openid groups groups"


def test_a_filter_without_a_value_is_the_clients_own() -> None:
    access = ("access:servers!server=ada/x", "access:servers!user=ada")
    client = OAuthClient("c", "", "/cb", access, ("servers!server", "read:users!user", "groups!group=a"))
    assert with_own_filters(client).allowed_scopes == (
        "servers!server=ada/x",
        "read:users!user",
        "groups!group=a",
    )
    assert fill_filter(client, "read:services!service") == "read:services!service"


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("/services/x/oauth_callback", ""),
        ("https://wiki.example/callback?x=1", "https://wiki.example"),
        ("http://127.0.0.1:7777/callback", "http://127.0.0.1:7777"),
        ("http://[::1]:7777/callback", "http://[::1]:7777"),
        ("https://wiki.example?x", "https://wiki.example"),
        ("https://wiki.example;script-src */", ""),
        ("https://ada@wiki.example/", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_where_a_form_leads_on_to(uri: str, origin: str) -> None:
    assert origin_of(uri) == origin
