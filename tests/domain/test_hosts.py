"""Hosts of users and services: proper names, never shared, and where they begin a route."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.hosts import Hosts, hook_trouble, idna_host, legacy_host

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
OWN = Hosts("/jh/", "https://hub.example.org:8443", subdomains=True)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("ada", "ada.hub.org"),
        ("ada-b2", "ada-b2.hub.org"),
        ("jürgen", "xn--jrgen-kva.hub.org"),
        ("ada@x.org", "u-adaxorg--90ca0bd.hub.org"),
        ("123", "u-123--a665a45.hub.org"),
        ("Ada", "u-ada--7ed0c51.hub.org"),
        ("-", "u-x--3973e02.hub.org"),
        ("a--b", "u-ab--9bcd13c.hub.org"),
    ],
)
def test_hosts_of_users(name: str, host: str) -> None:
    found = idna_host(name, "hub.org", "user")
    assert re.sub(r"--[0-9a-f]{7}\.", "--HASH.", found) == re.sub(r"--[0-9a-f]{7}\.", "--HASH.", host)


@given(st.text(min_size=1, max_size=70), st.sampled_from(["user", "service"]))
def test_every_host_is_proper(name: str, kind: str) -> None:
    label = idna_host(name, "hub.org", kind).removesuffix(".hub.org").removesuffix("--service")
    assert LABEL.fullmatch(label)


@given(st.lists(st.text("abAB-.1ßü", min_size=1, max_size=6), min_size=2, max_size=8, unique=True))
def test_no_two_share_one(names: list[str]) -> None:
    hosts = [idna_host(name, "hub.org", kind) for name in names for kind in ("user", "service")]
    assert len({host.lower() for host in hosts}) == len(hosts)


def test_the_hosts_of_old() -> None:
    assert legacy_host("ada", "hub.org", "user") == "ada.hub.org"
    assert legacy_host("Ada B_c@x", "hub.org", "user") == "ada_20b_5fc_40x.hub.org"
    assert legacy_host("culler", "hub.org", "service") == "services.hub.org"


def test_what_is_where_with_hosts_of_their_own() -> None:
    assert OWN.of_user("ada") == "https://ada.hub.example.org:8443"
    assert OWN.server_url("ada", "gpu") == "https://ada.hub.example.org:8443/jh/user/ada/gpu/"
    assert OWN.full_server_url("ada") == "https://ada.hub.example.org:8443/jh/user/ada/"
    assert OWN.server_spec("ada") == "ada.hub.example.org/jh/user/ada/"
    assert OWN.service_url("wiki") == "https://wiki--service.hub.example.org:8443/jh/services/wiki/"
    assert OWN.service_spec("wiki") == "wiki--service.hub.example.org/jh/services/wiki/"
    assert OWN.full("/jh/hub/home") == "https://hub.example.org:8443/jh/hub/home"
    assert (OWN.hub_spec(), OWN.hub_spec("/jh/hub/")) == ("/", "hub.example.org/jh/hub/")
    assert (OWN.domain, OWN.below) == ("hub.example.org", "https://*.hub.example.org:8443")


def test_what_is_where_on_one_host() -> None:
    one = Hosts("/jh/", "https://hub.example.org")
    assert (one.of_user("ada"), one.domain, one.below) == ("", "", "")
    assert one.server_url("ada") == "/jh/user/ada/"
    assert one.full_server_url("ada") == "https://hub.example.org/jh/user/ada/"
    assert one.server_spec("ada") == "/jh/user/ada/"
    assert (one.hub_spec(), one.hub_spec("/jh/hub/")) == ("/jh/", "/jh/hub/")
    assert Hosts().full_server_url("ada") is None
    assert Hosts().full("/hub/") is None


@pytest.mark.parametrize(
    ("host", "others"),
    [
        ("hub.example.org", False),
        ("hub.example.org:8443", False),
        ("ada.hub.example.org", True),
        ("ADA.hub.example.org.:8443", True),
        ("a.b.hub.example.org", True),
        ("evilhub.example.org", False),
        ("127.0.0.1:8081", False),
        ("[::1]:8081", False),
        ("", False),
    ],
)
def test_whose_host_it_is(host: str, others: bool) -> None:
    assert OWN.is_of_others(host) is others
    assert Hosts("/", "https://hub.example.org").is_of_others(host) is False


def test_a_hook_that_makes_no_host_is_not_followed() -> None:
    def hook(name: str, domain: str, kind: str) -> str:
        return {"ada": f"{kind}-{name}.{domain}", "bea": "a b/c"}[name]

    hosts = Hosts("/", "http://hub.org", subdomains=True, hook=hook)
    assert hosts.of_user("ada") == "http://user-ada.hub.org"
    assert hosts.of_user("bea") == "http://bea.hub.org"


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (lambda name, domain, kind: f"{kind}-{name}.{domain}", ""),
        (lambda name, domain, kind: name, "a host below hub.org"),
        (lambda name, domain, kind: f"{name} {kind}.{domain}", "a host name such as ada.hub.org"),
        (lambda name, domain, kind: None, "a host name such as ada.hub.org"),
        (lambda name: name, "it fails for user 'ada': TypeError"),
        (lambda name, domain, kind: {"user": f"{name}.{domain}"}[kind], "it fails for service 'ada'"),
    ],
)
def test_what_is_wrong_with_a_hook_is_found_before_anybody_comes(hook: Any, words: str) -> None:
    found = hook_trouble(hook, "hub.org")
    assert words in found
    assert bool(words) is bool(found)
