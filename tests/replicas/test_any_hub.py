"""Whichever hub is asked, the answer is the same: sessions, rights, starts and their steps."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.replicas.asking import SOON, answers, ask, sign_in
from tests.replicas.rig import Cluster, cluster
from tests.rigs.poll import until
from tests.rigs.postgres import PostgresServer
from tests.rigs.visitor import Visitor, authorization

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

ROLES = "c.JupyterHub.load_roles = [{'name': 'tutor', 'scopes': ['list:groups'], 'groups': ['tutors']}]"
#: What gives somebody a right, what takes it away again, and the right: methods, paths and bodies.
GIFTS = {
    "the admin flag": (
        ("PATCH", "users/dora", {"admin": True}),
        ("PATCH", "users/dora", {"admin": False}),
        "admin:users",
    ),
    "a role": (
        ("PATCH", "users/dora", {"roles": ["tutor"]}),
        ("PATCH", "users/dora", {"roles": []}),
        "list:groups",
    ),
    "a group with a role": (
        ("POST", "groups/tutors/users", {"users": ["dora"]}),
        ("DELETE", "groups/tutors/users", {"users": ["dora"]}),
        "list:groups",
    ),
    "a share": (
        ("POST", "shares/emil/", {"user": "dora"}),
        ("PATCH", "shares/emil/", {"user": "dora"}),
        "access:servers!server=emil/",
    ),
}


@pytest.fixture(scope="module")
def three(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three hubs for all tests of this module."""
    url = postgres_server.create_database()
    with cluster(tmp_path_factory.mktemp("replicas"), url, extra=ROLES) as found:
        yield found
    postgres_server.drop_database(url)


def test_who_has_logged_in_at_one_is_known_to_all_and_unknown_after_leaving(three: Cluster) -> None:
    cookie = sign_in(three.hubs[0], "ada")
    for hub in three.hubs:
        assert "ada" in ask(hub, "GET", "hub/home", cookie).text
    ask(three.hubs[1], "GET", "hub/logout", cookie)
    for hub in three.hubs:
        answers(hub, 302, "hub/home", cookie)


def test_a_start_on_one_is_watched_on_another_and_stopped_on_the_third(three: Cluster) -> None:
    first, second, third = three.hubs
    sign_in(first, "bea")
    head = authorization(second.token("bea"))
    assert ask(first, "POST", "hub/api/users/bea/server", head, b"{}").status in (201, 202)
    stream = ask(second, "GET", "hub/api/users/bea/server/progress", head)
    steps = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    assert steps[-1]["ready"]
    assert steps[-1]["url"] == "/user/bea/"
    assert Visitor(three.plane.url).get("user/bea/api").text.split()[0] == "bea"
    assert ask(third, "DELETE", "hub/api/users/bea/server", head).status in (202, 204)
    until(lambda: not ask(first, "GET", "hub/api/users/bea", head).json()["servers"], "the stop to show")


def test_a_token_that_one_has_revoked_is_good_nowhere_a_second_later(three: Cluster) -> None:
    sign_in(three.hubs[0], "cleo")
    head = authorization(three.hubs[0].token("cleo"))
    made = ask(three.hubs[0], "POST", "hub/api/users/cleo/tokens", head, b"{}").json()
    mine = authorization(made["token"])
    assert [ask(hub, "GET", "hub/api/user", mine).status for hub in three.hubs] == [200] * 3
    gone = ask(three.hubs[1], "DELETE", f"hub/api/users/cleo/tokens/{made['id']}", head)
    assert gone.status == 204
    for hub in three.hubs:
        answers(hub, 403, "hub/api/user", mine)


@pytest.mark.parametrize("kind", GIFTS)
def test_a_right_that_one_gives_and_another_takes_is_known_to_all_within_a_second(
    three: Cluster, kind: str
) -> None:
    give, take, scope = GIFTS[kind]
    for name in ("admin", "dora", "emil"):
        sign_in(three.hubs[0], name)
    boss, dora = (authorization(three.hubs[0].token(name)) for name in ("admin", "dora"))

    def holders() -> list[bool]:
        return [scope in ask(hub, "GET", "hub/api/user", dora).json()["scopes"] for hub in three.hubs]

    assert holders() == [False] * 3
    for hub, (method, path, body), held in ((three.hubs[1], give, True), (three.hubs[2], take, False)):
        assert ask(hub, method, f"hub/api/{path}", boss, json.dumps(body).encode()).status == 200
        until(lambda held=held: holders() == [held] * 3, f"{kind} to show everywhere", SOON)  # type: ignore[misc]


def test_the_hub_s_route_names_every_hub(three: Cluster) -> None:
    sign_in(three.hubs[0], "admin")
    head = authorization(three.hubs[0].token("admin"))
    urls = {hub.hub_url.rstrip("/") for hub in three.hubs}

    def named() -> bool:
        route = ask(three.hubs[1], "GET", "hub/api/proxy", head).json()["/"]
        return {route["target"], *route["data"].get("alternatives", [])} == urls

    until(named, "all hubs to stand in the route", timeout=40)
