"""Applications in the configuration: what is read, and which mistakes keep the hub from starting."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.config.check import check_settings
from carrel.config.oauth_clients import read_clients, redirect_fault
from carrel.config.schema import printable
from carrel.config.values import describe
from carrel.domain.oauth import OFFLINE, USUAL_CLAIMS, OAuthClient
from carrel.lib.ids import digest
from carrel.testing.factories import some_settings

SECRET = "s" * 32
WIKI: dict[str, Any] = {
    "client_id": "wiki",
    "client_secret": SECRET,
    "redirect_uris": ["https://wiki.example/callback"],
}


def findings(**settings: Any) -> list[tuple[str, bool]]:
    return [(str(problem), problem.fatal) for problem in check_settings(some_settings(**settings))]


def test_all_that_can_be_said_is_read() -> None:
    full = WIKI | {
        "name": "The wiki",
        "redirect_uris": ["https://wiki.example/callback", "http://localhost:8080/callback?x=1"],
        "allowed_scopes": ["offline_access", "read:servers!user", "custom:wiki:edit"],
        "access_scopes": ["custom:wiki:edit"],
        "confirm": False,
    }
    bare = {"client_id": "phone", "public": True, "redirect_uris": ["http://127.0.0.1:7777/"]}
    custom = {"custom:wiki:edit": {"description": "Edit the wiki."}}
    settings = some_settings(oauth_clients=[full, bare], custom_scopes=custom)
    clients, wrong = read_clients(settings)
    assert wrong == []
    assert clients == [
        OAuthClient(
            client_id="wiki",
            hashed_secret=digest(SECRET),
            redirect_uri="https://wiki.example/callback",
            access_scopes=("custom:wiki:edit",),
            allowed_scopes=("custom:wiki:edit", OFFLINE, "read:servers!user", *USUAL_CLAIMS),
            description="The wiki",
            kind="external",
            confirm=False,
            other_redirect_uris=("http://localhost:8080/callback?x=1",),
        ),
        OAuthClient(
            client_id="phone",
            hashed_secret="",
            redirect_uri="http://127.0.0.1:7777/",
            access_scopes=(),
            allowed_scopes=USUAL_CLAIMS,
            description="phone",
            kind="external",
        ),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client_id": None}, "client_id must be"),
        ({"client_id": "a b"}, "client_id must be"),
        ({"client_id": "x" * 101}, "client_id must be"),
        ({"client_id": "jupyterhub"}, "must not begin"),
        ({"client_id": "jupyterhub-user-ada"}, "must not begin"),
        ({"client_id": "service-board"}, "must not begin"),
        ({"client_secret": None}, "client_secret must have 32"),
        ({"client_secret": "s" * 31}, "client_secret must have 32"),
        ({"client_secret": 5}, "client_secret must have 32"),
        ({"public": True}, "has no client_secret"),
        ({"public": "yes"}, "public must be"),
        ({"public": True, "client_secret": None, "confirm": False}, "pretend to be it"),
        ({"confirm": "no"}, "confirm must be"),
        ({"name": 5}, "name must be"),
        ({"redirect_uris": []}, "redirect_uris must be"),
        ({"redirect_uris": "https://wiki.example/"}, "redirect_uris must be"),
        ({"redirect_uris": ["/callback"]}, "https://"),
        ({"redirect_uri": ["https://wiki.example/"]}, "did you mean redirect_uris"),
        ({"allowed_scopes": ["user"]}, "Did you mean"),
        ({"allowed_scopes": "inherit"}, "must be a list"),
        ({"access_scopes": ["offline_access"]}, "There is no scope"),
    ],
)
def test_a_mistake_keeps_the_hub_from_starting(changes: dict[str, Any], says: str) -> None:
    [(text, fatal)] = findings(oauth_clients=[WIKI | changes])
    assert says in text
    assert "oauth_clients" in text
    assert fatal
    assert read_clients(some_settings(oauth_clients=[WIKI | changes]))[0] == []


def test_all_mistakes_are_told_at_once() -> None:
    found = findings(oauth_clients=[WIKI, WIKI, "wiki", {}], public_url="hub.example.org")
    assert len(found) == 6
    assert any("defined twice" in text for text, _ in found)
    assert any("entry 3" in text for text, _ in found)


@pytest.mark.parametrize(
    "uri",
    [
        "http://wiki.example/callback",
        "https:///callback",
        "https://",
        "//wiki.example/callback",
        "javascript:alert(1)",
        "com.example.app:/callback",
        "https://ada@wiki.example/callback",
        "https://wiki.example/callback#x",
        "https://*.wiki.example/callback",
        "https://wiki.example/a/../callback",
        "https://wiki.example/ callback",
        "https://wiki.example\\@evil.example/",
        "https://wiki.example/callback\n",
        "https://wiki.example:port/",
        "https://wiki.example:99999/",
        "https://wiki.exämple/",
        "https://wiki.example;script-src 'unsafe-inline'/",
        "https://[::1/",
        "http://localhost.evil.example/",
    ],
)
def test_an_address_that_could_be_read_in_two_ways(uri: str) -> None:
    assert redirect_fault(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://wiki.example",
        "https://wiki.example:8443/a/b?c=d&e=f",
        "http://[::1]:8000/",
        "http://localhost/x",
    ],
)
def test_an_address_that_is_fine(uri: str) -> None:
    assert redirect_fault(uri) == ""


@pytest.mark.parametrize(
    ("url", "base_url", "good"),
    [
        ("https://hub.example.org/", "/", True),
        ("https://hub.example.org", "/", True),
        ("http://127.0.0.1:8000/base", "/base/", True),
        ("https://hub.example.org/base/", "/", False),
        ("https://hub.example.org/", "/base/", False),
        ("hub.example.org", "/", False),
        ("https://ada:pw@hub.example.org/", "/", False),
        ("https://hub.example.org/?x", "/", False),
    ],
)
def test_the_public_address(url: str, base_url: str, good: bool) -> None:
    assert (findings(public_url=url, base_url=base_url) == []) is good


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("oauth_token_expires_in", -1.0),
        ("oauth_access_token_expires_in", 0.0),
        ("oauth_refresh_token_expires_in", 0.5),
    ],
)
def test_lifetimes_are_positive(setting: str, value: float) -> None:
    [(text, fatal)] = findings(**{setting: value})
    assert setting in text
    assert fatal


def test_no_secret_is_shown() -> None:
    settings = some_settings(oauth_clients=[WIKI])
    assert SECRET not in printable(settings)["oauth_clients"]
    assert "wiki.example" in printable(settings)["oauth_clients"]
    assert SECRET not in repr(settings)
    assert SECRET not in describe("oauth_clients", WIKI)
