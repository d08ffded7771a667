"""A real single-user server that is shared: it lets in whom its owner invites, and nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import CARREL, PASSWORD, class_config
from tests.rigs.systems import under_test
from tests.rigs.visitor import Reply, Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

#: Sharing is for who is given the right to.
SHARERS = """
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self"]},
    {"name": "sharer", "scopes": ["shares!user", "read:users:name!user=bea"], "users": ["ada"]},
]
"""
API = "user/ada/api/contents"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub on which ada's server runs."""
    directory = tmp_path_factory.mktemp("shares")
    config = class_config(directory, CARREL.command()) + SHARERS
    with HubProcess(under_test(), directory, config) as hub:
        for name in ("ada", "bea", "cleo"):
            assert hub.visitor().log_in(name, PASSWORD, "/hub/home").location
        hub.api("POST", "users/ada/server", token=hub.token("ada"))
        hub.wait_server("ada", hub.token("admin"))
        yield hub


def _visitor(hub: HubProcess, name: str) -> Visitor:
    visitor = hub.visitor()
    assert visitor.log_in(name, PASSWORD, "/hub/home").location
    return visitor


def _enter(visitor: Visitor, path: str) -> Reply:
    """Return where a visit ends, when the visitor agrees that the server may know who they are."""
    page = visitor.follow(path)
    if "Authorize access" not in page.text:
        return page
    sent = visitor.post_form(page.url, {"_xsrf": visitor.xsrf_token(page)})
    return visitor.follow(sent.location)


def _ask(hub: HubProcess, method: str, path: str, who: str, body: Any = None) -> Any:
    reply = hub.api(method, path, token=hub.token(who), body=json.dumps(body).encode())
    assert reply.status == 200, reply.text
    return reply.json()


def test_a_guest_of_the_owner_comes_in_and_a_stranger_does_not(hub: HubProcess) -> None:
    bea, cleo = _visitor(hub, "bea"), _visitor(hub, "cleo")
    assert _enter(bea, "user/ada/lab").status == 403
    _ask(hub, "POST", "shares/ada/", "ada", {"user": "bea"})
    page = _enter(bea, "user/ada/lab")
    assert (page.status, urlsplit(page.url).path) == (200, "/user/ada/lab")
    assert re.search(r'id="jupyter-config-data"', page.text)
    assert bea.get(API).status == 200
    assert bea.get(API, token=hub.token("bea")).status == 200
    assert _enter(cleo, "user/ada/lab").status == 403
    assert cleo.get(API, token=hub.token("cleo")).status in (403, 404)


def test_an_invitation_lets_in_who_accepts_it_until_the_owner_ends_it(hub: HubProcess) -> None:
    code = _ask(hub, "POST", "share-codes/ada/", "ada", {"expires_in": 600})
    cleo = _visitor(hub, "cleo")
    page = cleo.follow(code["accept_url"])
    assert "access:servers!server=ada/" in page.text
    accepted = cleo.post_form(page.url, {"_xsrf": cleo.xsrf_token(page), "code": code["code"]})
    assert urlsplit(accepted.location).path == "/user/ada/"
    landed = _enter(cleo, accepted.location)
    assert (landed.status, urlsplit(landed.url).path) == (200, "/user/ada/lab")
    _ask(hub, "PATCH", "shares/ada/", "ada", {"user": "cleo"})
    # Somebody who was let in a moment ago is remembered by the server; the hub itself knows at once.
    assert _enter(_visitor(hub, "cleo"), "user/ada/lab").status == 403
    assert hub.api("GET", "users/cleo/shared", token=hub.token("cleo")).json()["items"] == []


def test_who_was_not_given_the_right_shares_nothing(hub: HubProcess) -> None:
    token = hub.token("bea")
    for path in ("shares/bea/", "share-codes/bea/", "shares/ada/"):
        reply = hub.api("POST", path, token=token, body=b'{"user": "cleo"}')
        assert reply.status == 403, path
