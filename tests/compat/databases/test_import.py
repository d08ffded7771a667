"""Databases that real JupyterHubs made are taken over, and nobody who was there notices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.compat.databases.old_hubs import (
    ADMIN_TOKEN,
    CRYPT_KEY,
    RELEASES,
    World,
    common_config,
    lived_in,
    visit,
)
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.systems import System, carrel
from tests.rigs.visitor import Visitor, authorization

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


def carrel_with_keys() -> System:
    found = carrel()
    return System(
        found.name, found.command, environment={**found.environment, "JUPYTERHUB_CRYPT_KEY": CRYPT_KEY}
    )


@dataclass
class Move:
    """A Carrel in the place of an old hub: same directory, same ports."""

    hub: HubProcess
    world: World
    dry_run: str
    written_by_dry_run: bool
    report: str
    source_before: str
    again: str


@pytest.fixture(scope="module", params=list(RELEASES), ids=list(RELEASES.values()))
def move(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    release: int = request.param
    directory = tmp_path_factory.mktemp(f"release-{release}")
    with lived_in(release, directory) as (old, world):
        hub = HubProcess(carrel_with_keys(), directory, common_config(directory, release))
        hub.ports = old.ports
        before = digest_of(directory / "jupyterhub.sqlite")
        dry = hub.run("import-jupyterhub", "--dry-run")
        assert dry.returncode == 0, dry.stderr
        written = (directory / "carrel.sqlite").exists()
        done = hub.run("import-jupyterhub")
        assert done.returncode == 0, done.stderr
        again = hub.run("import-jupyterhub")
        assert again.returncode == 6, again.stdout
        with hub:
            # The routes are set a moment after the hub answers.
            until(lambda: Visitor(hub.public_url).get("user/ada/").status == 200, "the routes to be set")
            yield Move(hub, world, dry.stdout, written, done.stdout, before, again.stderr)


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_dry_run_says_what_comes_along_and_writes_nothing(move: Move) -> None:
    assert f"a database of JupyterHub {move.world.release}" in move.dry_run
    assert "4 users (1 admin; 1 with auth_state)" in move.dry_run
    assert "2 servers, 2 of them running" in move.dry_run
    assert "Nothing was written" in move.dry_run
    assert not move.written_by_dry_run
    assert move.dry_run.splitlines()[:-1] == move.report.splitlines()[:-1]


def test_the_source_stays_as_it_was(move: Move) -> None:
    assert digest_of(move.hub.directory / "jupyterhub.sqlite") == move.source_before


def test_a_second_import_is_refused(move: Move) -> None:
    assert "was imported on" in move.again
    assert "--replace" in move.again


def test_tokens_still_answer(move: Move) -> None:
    for name, token in move.world.tokens.items():
        for _ in range(2):
            reply = move.hub.api("GET", "user", token=token)
            assert reply.status == 200, (name, reply.text)
        expected = {"admin": "admin", "service": "reader"}.get(name, "ada")
        assert reply.json()["name"] == expected
    assert move.hub.api("GET", "user", token="0" * 32).status == 403


def test_tokens_may_do_what_they_might(move: Move) -> None:
    listed = move.hub.api("GET", "users/ada/tokens", token=move.world.tokens["plain"]).json()["api_tokens"]
    by_note = {token["note"]: token for token in listed}
    assert by_note["for a week"]["expires_at"] is not None
    assert by_note["plain"]["expires_at"] is None
    if "scoped" in move.world.tokens:
        refused = move.hub.api("POST", "users/ada/tokens", token=move.world.tokens["scoped"])
        assert refused.status == 403


def test_nobody_is_logged_out(move: Move) -> None:
    browser = move.world.browser
    old = browser.cookie("jupyterhub-hub-login", "/hub/")
    assert old is not None
    page = browser.get("hub/home")
    assert page.status == 200
    assert "ada" in page.text
    new = browser.cookie("jupyterhub-hub-login", "/hub/")
    assert new is not None
    assert new.value != old.value
    assert browser.get("hub/home").status == 200


def test_running_servers_are_adopted(move: Move) -> None:
    model = move.hub.api("GET", "users/ada", token=ADMIN_TOKEN).json()
    assert {name: server["ready"] for name, server in model["servers"].items()} == {"": True, "gpu": True}
    assert model["servers"]["gpu"]["user_options"] == {"size": "large"}
    for name, path in (("", "user/ada/"), ("gpu", "user/ada/gpu/")):
        assert processes.is_alive(move.world.pids[name])
        assert Visitor(move.hub.public_url).get(path).text.split() == ["ada", str(move.world.pids[name])]


def test_servers_go_on_with_their_tokens(move: Move) -> None:
    environment = move.world.environment("gpu")
    token = environment["JUPYTERHUB_API_TOKEN"]
    moment = "2099-01-01T00:00:00Z"
    assert move.hub.api("GET", "user", token=token).json()["name"] == "ada"
    body = json.dumps({"servers": {"gpu": {"last_activity": moment}}}).encode()
    # Far ahead of now: it is understood, and refused for what it says.
    assert move.hub.api("POST", "users/ada/activity", token=token, body=body).status == 400
    assert move.hub.api("DELETE", "users/ada/server", token=token).status == 403


def test_visitors_of_servers_stay_visitors(move: Move) -> None:
    known = move.hub.api("GET", "user", token=move.world.visiting).json()
    assert known["name"] == "ada"
    assert {"access:servers!server=ada/", "access:servers!user=ada"} & set(known["scopes"])


def test_servers_sign_in_new_visitors(move: Move) -> None:
    token = visit(move.hub, move.world)
    known = move.hub.api("GET", "user", token=token).json()
    assert "access:servers!server=ada/" in known["scopes"]
    environment = move.world.environment("")
    forged = {
        "client_id": environment["JUPYTERHUB_CLIENT_ID"],
        "client_secret": "0" * 32,
        "grant_type": "authorization_code",
        "code": "x",
        "redirect_uri": environment["JUPYTERHUB_OAUTH_CALLBACK_URL"],
    }
    assert Visitor(move.hub.public_url).post_form("hub/api/oauth2/token", forged).status == 401


def test_what_authenticators_keep_is_read_with_the_same_keys(move: Move) -> None:
    model = move.hub.api("GET", "users/ada", token=ADMIN_TOKEN).json()
    assert model["auth_state"] == {"upstream": "token of ada"}


def test_groups_and_roles(move: Move) -> None:
    group = move.hub.api("GET", "groups/readers", token=ADMIN_TOKEN).json()
    assert sorted(group["users"]) == ["ada", "bea"]
    if move.world.release >= 4:
        assert group["properties"] == {"floor": 3}
    if move.world.release >= 2:
        roles = move.hub.api("GET", "users/bea", token=ADMIN_TOKEN).json()["roles"]
        assert "teacher" in roles


def test_shares_and_codes(move: Move) -> None:
    if move.world.release < 5:
        return
    shares = move.hub.api("GET", "shares/ada", token=ADMIN_TOKEN).json()["items"]
    receivers = [(share["user"] or share["group"])["name"] for share in shares]
    assert sorted(receivers) == ["bea", "readers"]
    cy = move.hub.visitor()
    assert cy.log_in("cy", "correct horse battery staple", "/hub/home").status == 302
    page = cy.get(f"hub/accept-share?{urlencode({'code': move.world.share_code})}")
    assert page.status == 200
    form = {"code": move.world.share_code, "_xsrf": cy.xsrf_token(page)}
    assert cy.post_form("hub/accept-share", form).status in {302, 303}
    shares = move.hub.api("GET", "shares/ada/gpu", token=ADMIN_TOKEN).json()["items"]
    assert "cy" in [share["user"]["name"] for share in shares if share["user"]]


def test_the_last_adopted_servers_can_be_stopped(move: Move) -> None:
    pid = move.world.pids["gpu"]
    headers = authorization(ADMIN_TOKEN)
    stopped = Visitor(move.hub.public_url).request("DELETE", "hub/api/users/ada/servers/gpu", headers=headers)
    assert stopped.status in {202, 204}
    until(lambda: not processes.is_alive(pid), "the adopted server to end", timeout=30)
