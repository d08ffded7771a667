"""The way back: the real JupyterHub 6.1 starts on what Carrel wrote, and goes on with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.compat.databases.old_hubs import ADMIN_TOKEN, common_config, lived_in, must, old_hub
from tests.compat.databases.test_import import carrel_with_keys
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@dataclass
class Return:
    """JupyterHub 6.1 on a database of Carrel's, which had taken over one of JupyterHub 6.1."""

    hub: HubProcess
    report: str
    tokens: dict[str, str] = field(default_factory=dict)
    """By their owner."""
    pids: dict[str, int] = field(default_factory=dict)
    """Servers of users, by their path."""
    share_code: str = ""

    def is_routed(self, path: str) -> bool:
        """Tell whether a server answers at the public address."""
        return Visitor(self.hub.public_url).get(path).status == 200


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Return]:
    directory = tmp_path_factory.mktemp("back")
    with lived_in(6, directory) as (old, world):
        hub = HubProcess(carrel_with_keys(), directory, common_config(directory, 6))
        hub.ports = old.ports
        assert hub.run("import-jupyterhub").returncode == 0
        with hub:
            found = Return(hub, "")
            live_on(hub, found)
            assert hub.terminate() == 0
            done = hub.run("export-jupyterhub", "sqlite:///back.sqlite")
            assert done.returncode == 0, done.stderr
            found.report = done.stdout
            found.tokens["old"] = world.tokens["plain"]
            found.pids["user/ada/"] = world.pids[""]
            processes.end(hub.proxies())
            more = "c.JupyterHub.db_url = 'sqlite:///back.sqlite'\n"
            found.hub = old_hub(6, directory, more)
            found.hub.ports = old.ports
            with found.hub:
                until(lambda: all(map(found.is_routed, found.pids)), "the routes to be set")
                yield found


def live_on(hub: HubProcess, found: Return) -> None:
    """Use Carrel as people do."""
    must(hub, "POST", "users/dee", {})
    must(hub, "POST", "groups/late", {})
    must(hub, "POST", "groups/late/users", {"users": ["dee"]})
    found.tokens["dee"] = must(hub, "POST", "users/dee/tokens", {"note": "of Carrel"})["token"]
    scopes = ["read:users:name!user=dee"]
    found.tokens["dee's less"] = must(hub, "POST", "users/dee/tokens", {"scopes": scopes})["token"]
    must(hub, "POST", "users/dee/server", {})
    hub.wait_server("dee", ADMIN_TOKEN)
    must(hub, "POST", "shares/dee/", {"user": "cy"})
    found.share_code = must(hub, "POST", "share-codes/dee/", {})["code"]
    [found.pids["user/dee/"]] = [
        pid for pid in hub.servers() if processes.environment(pid).get("JUPYTERHUB_USER") == "dee"
    ]


def ask(back: Return, path: str, token: str = ADMIN_TOKEN) -> Any:
    reply = back.hub.api("GET", path, token=token)
    assert reply.status == 200, f"{path}: {reply.status} {reply.text}"
    return reply.json()


def test_it_says_what_goes_along(back: Return) -> None:
    assert "5 users" in back.report
    assert "all of which work there" in back.report


def test_tokens_answer_there(back: Return) -> None:
    assert ask(back, "user", back.tokens["old"])["name"] == "ada"
    assert ask(back, "user", back.tokens["dee"])["name"] == "dee"
    # Every token of JupyterHub's may see whose it is, and their groups.
    less = {"read:users:name!user=dee", "read:users:groups!user=dee"}
    assert set(ask(back, "user", back.tokens["dee's less"])["scopes"]) == less
    assert back.hub.api("GET", "user", token="0" * 32).status == 403


def test_servers_are_still_running(back: Return) -> None:
    for path, pid in back.pids.items():
        assert processes.is_alive(pid)
        name = path.split("/")[1]
        assert ask(back, f"users/{name}")["servers"][""]["ready"]
        page = Visitor(back.hub.public_url).get(path)
        assert page.text.split() == [name, str(pid)]
        token = processes.environment(pid)["JUPYTERHUB_API_TOKEN"]
        assert ask(back, "user", token)["name"] == name


def test_people_groups_roles_and_shares(back: Return) -> None:
    assert {user["name"] for user in ask(back, "users")} == {"admin", "ada", "bea", "cy", "dee"}
    assert ask(back, "users/admin")["admin"]
    assert ask(back, "groups/late")["users"] == ["dee"]
    assert "teacher" in ask(back, "users/bea")["roles"]
    assert ask(back, "users/ada")["auth_state"] == {"upstream": "token of ada"}
    [share] = ask(back, "shares/dee/")["items"]
    assert share["user"]["name"] == "cy"
    body = json.dumps({"code": back.share_code}).encode()
    shown = back.hub.api("GET", f"share-codes/dee/?code={back.share_code}", token=ADMIN_TOKEN, body=body)
    assert shown.status == 200
    assert len(shown.json()["items"]) == 1


def test_the_way_in_is_open(back: Return) -> None:
    browser = back.hub.visitor()
    assert browser.log_in("dee", PASSWORD, "/hub/home").status == 302
    assert browser.get("hub/home").status == 200


def test_what_carrel_started_can_be_stopped_there(back: Return) -> None:
    pid = back.pids["user/dee/"]
    assert back.hub.api("DELETE", "users/dee/server", token=ADMIN_TOKEN).status in {202, 204}
    until(lambda: not processes.is_alive(pid), "the server to end", timeout=30)
