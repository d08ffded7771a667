"""What becomes of JupyterHub's rows here, and of what must not come along as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from carrel.compat.databases.incoming import convert
from carrel.compat.databases.move import Rows, Terms, own_form
from carrel.compat.databases.outgoing import TABLES, convert_back
from carrel.domain.scope_catalog import BUILT_IN
from carrel.lib.ids import digest, hash_token
from carrel.lib.sealing import Sealer
from carrel.spawners.imported import ImportedRun
from carrel.storage.jupyterhub.records import (
    ClientRow,
    GroupRoleRow,
    GroupRow,
    JupyterHubData,
    MemberRow,
    RoleRow,
    ServerRow,
    ServiceRow,
    ShareCodeRow,
    ShareRow,
    SpawnerRow,
    TokenRow,
    UserRoleRow,
    UserRow,
)
from carrel.storage.jupyterhub.tables import REVISION

NOW = 1_800_000_000.0
SECRET = "abcd" + "0" * 28
ACCESS = "access:servers!server=ada/"
SEALER = Sealer([b"k" * 32])


def take_it(state: Mapping[str, Any], run: ImportedRun) -> Mapping[str, Any] | None:
    return state


TERMS = Terms(now=NOW, cookie_life=14 * 86400.0, adopt=take_it, sealer=SEALER, catalog=BUILT_IN, node="here")
ADA = UserRow(id=3, name="ada", cookie_id="c1", admin=True, created=NOW - 9)
BEA = UserRow(id=7, name="bea", cookie_id="c2")
TOKEN = TokenRow(id=1, user_id=3, hashed=hash_token(SECRET, 1), prefix="abcd", scopes=["inherit"])
RUNNING = SpawnerRow(id=5, user_id=3, server_id=1, state={"pid": 12}, oauth_client_id="jupyterhub-user-ada")
ADDRESS = ServerRow(id=1, ip="", port=4000, base_url="/user/ada/")
CLIENT = ClientRow(
    id=2,
    identifier="jupyterhub-user-ada",
    secret=hash_token("s" * 32, 16384),
    redirect_uri="/user/ada/oauth_callback",
    allowed_scopes=["access:servers!server=ada/", "read:users!user"],
)
DATA = JupyterHubData(
    revision=REVISION,
    users=[ADA, BEA],
    groups=[GroupRow(id=2, name="class")],
    user_group_map=[MemberRow(user_id=7, group_id=2), MemberRow(user_id=7, group_id=99)],
    roles=[RoleRow(id=1, name="user", scopes=["self"]), RoleRow(id=4, name="teacher", scopes=["list:users"])],
    user_role_map=[UserRoleRow(user_id=id_, role_id=role) for id_, role in ((3, 1), (7, 1), (7, 4))],
    group_role_map=[GroupRoleRow(group_id=2, role_id=4)],
    servers=[ADDRESS],
    spawners=[RUNNING],
    oauth_clients=[ClientRow(id=1, identifier="jupyterhub"), CLIENT],
    api_tokens=[TOKEN],
)


def take(data: JupyterHubData = DATA, **terms: Any) -> tuple[Rows, str, list[str]]:
    """Return our rows, the report's text, and what blocks the import."""
    rows, report = convert(data, replace(TERMS, **terms))
    return rows, "\n".join(report.lines()), report.blocked


def test_people_keep_their_numbers_groups_and_roles() -> None:
    rows, report, blocked = take()
    people = [(row["id"], row["name"], row["admin"]) for row in rows["users"]]
    assert people == [(3, "ada", True), (7, "bea", False)]
    assert rows["group_members"] == [{"group_id": 2, "user_id": 7}]
    # Everybody has the role `user`, so that nobody needs to be given it.
    assert rows["role_users"] == [{"role_id": 4, "user_id": 7, "managed_by_auth": False}]
    [bearer] = rows["role_bearers"]
    assert bearer == {"role_id": 4, "kind": "groups", "name": "class", "managed_by_auth": False}
    assert {row["hashed"] for row in rows["imported_logins"]} == {digest("c1"), digest("c2")}
    assert not blocked
    assert "Does not come along" not in report


def test_names_that_could_be_a_path_stay_behind_with_all_that_is_theirs() -> None:
    bad = replace(ADA, name="../ada")
    rows, report, _ = take(replace(DATA, users=[bad, BEA]))
    assert [row["name"] for row in rows["users"]] == ["bea"]
    assert rows["tokens"] == rows["servers"] == rows["oauth_clients"] == []
    assert "user '../ada'" in report


def test_rights_that_differ_are_told() -> None:
    odd = RoleRow(id=3, name="odd", scopes=["x:y"])
    roles = [RoleRow(id=1, name="user"), RoleRow(id=2, name="admin"), odd]
    held = [UserRoleRow(user_id=3, role_id=1), UserRoleRow(user_id=7, role_id=2)]
    rows, report, _ = take(replace(DATA, roles=roles, user_role_map=held, group_role_map=[]))
    assert rows["role_users"] == []
    assert not next(row["admin"] for row in rows["users"] if row["name"] == "bea")
    assert "bea: has not the role user" in report
    assert "bea: has the role admin without the flag" in report
    assert "role odd: has the scope x:y" in report


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        (hash_token(SECRET, 1, "salt"), hash_token(SECRET, 1, "salt")),
        (hash_token(SECRET, 16384, "salt"), hash_token(SECRET, 16384, "salt")),
        (hash_token(SECRET, 1, "", "sha256"), digest(SECRET)),
        (hash_token(SECRET, 16385, "salt"), None),
        (hash_token(SECRET, 1, "salt", "md5"), None),
        ("sha512:-1:salt:x", None),
        (hash_token(SECRET, 0, "salt"), None),
        ("", None),
    ],
    ids=["generated", "written", "ours", "too many rounds", "weak", "nonsense", "no rounds", "empty"],
)
def test_only_digests_that_can_be_looked_up_come_along(stored: str, kept: str | None) -> None:
    assert own_form(stored) == kept
    rows, report, _ = take(replace(DATA, api_tokens=[replace(TOKEN, hashed=stored)]))
    assert [row["hashed"] for row in rows["tokens"]] == ([kept] if kept else [])
    assert ("token abcd…: its digest" in report) is (kept is None)


def test_tokens_that_are_over_or_that_the_configuration_brings_stay_behind() -> None:
    expired = replace(TOKEN, expires_at=NOW)
    rows, report, _ = take(replace(DATA, api_tokens=[expired]))
    assert rows["tokens"] == []
    assert "1 token: expired" in report
    assert take(secrets={SECRET})[0]["tokens"] == []
    assert len(take(secrets={"abcd" + "1" * 28})[0]["tokens"]) == 1


def test_a_token_of_a_service_that_may_less_than_the_service_stays_behind() -> None:
    service = ServiceRow(id=1, name="reader")
    of_service = replace(TOKEN, user_id=None, service_id=1)
    data = replace(DATA, services=[service], api_tokens=[of_service])
    assert len(take(data)[0]["service_tokens"]) == 1
    for change in ({"scopes": ["read:hub"]}, {"expires_at": NOW + 9}):
        rows, report, _ = take(replace(data, api_tokens=[replace(of_service, **change)]))
        assert rows["service_tokens"] == []
        assert "of service reader: tokens of services have neither" in report


def test_what_one_session_has_for_two_people_ends_with_neither_s_log_out() -> None:
    token = replace(TOKEN, client_id=CLIENT.identifier, session_id="sid")
    tokens = [replace(token, id=n, user_id=user) for n, user in ((1, 3), (2, 7))]
    rows, _, _ = take(replace(DATA, api_tokens=tokens))
    assert [row["session_id"] for row in rows["tokens"]] == [None, None]
    rows, _, _ = take(replace(DATA, api_tokens=tokens[:1]))
    assert [row["session_id"] for row in rows["tokens"]] == ["sid"]


def test_a_running_server_is_adopted_with_its_token_and_client() -> None:
    own = replace(TOKEN, id=8, note="Server at /user/ada/", client_id="jupyterhub")
    other = replace(TOKEN, id=9, note="Server at /user/bea/")
    visit = replace(TOKEN, id=10, client_id=CLIENT.identifier, scopes=None, user_id=7)
    rows, _, _ = take(replace(DATA, api_tokens=[own, other, visit]))
    [server] = rows["servers"]
    assert (server["actual"], server["wanted"], server["url"]) == (
        "running",
        "running",
        "http://127.0.0.1:4000",
    )
    assert (json.loads(server["state"]), server["node"]) == ({"pid": 12}, "here")
    scopes = {row["id"]: json.loads(row["scopes"]) for row in rows["tokens"]}
    # As an own token may do here, and not all that its owner may, as in JupyterHub 1.
    assert "inherit" not in scopes[8]
    assert "access:servers!server=ada/" in scopes[8]
    assert scopes[10] == ["access:servers!server=ada/"]
    assert {row["id"]: row["server_id"] for row in rows["tokens"]} == {8: 5, 9: None, 10: None}
    [client] = rows["oauth_clients"]
    assert (client["server_id"], json.loads(client["allowed_scopes"])) == (5, ["read:users!user"])


def test_one_that_cannot_be_seen_is_stopped_and_loses_its_client() -> None:
    seen: list[ImportedRun] = []

    def gone(state: Mapping[str, Any], run: ImportedRun) -> None:
        seen.append(run)

    own = replace(TOKEN, note="Server at /user/ada/")
    rows, report, _ = take(replace(DATA, api_tokens=[own]), adopt=gone)
    [server] = rows["servers"]
    assert (server["actual"], server["wanted"]) == ("stopped", "stopped")
    assert (server["url"], server["state"]) == ("", "{}")
    assert rows["oauth_clients"] == []
    assert "server ada: does not run any more" in report
    assert (seen[0].user_name, seen[0].ip, seen[0].port) == ("ada", "127.0.0.1", 4000)
    assert seen[0].is_its_token(SECRET)
    assert not seen[0].is_its_token("abcd" + "1" * 28)


def test_of_two_servers_with_one_name_the_running_one_comes_along() -> None:
    rows, report, _ = take(replace(DATA, spawners=[SpawnerRow(id=4, user_id=3, started=NOW), RUNNING]))
    assert [row["id"] for row in rows["servers"]] == [5]
    assert "there are two of this name" in report


@pytest.mark.parametrize("keys", [[], [b"x" * 32]], ids=["none", "others"])
def test_auth_state_that_no_key_opens_blocks_the_import(keys: list[bytes]) -> None:
    data = replace(DATA, users=[replace(ADA, encrypted_auth_state=SEALER.seal({"a": 1}))])
    rows, _, blocked = take(data)
    assert SEALER.open(rows["users"][0]["auth_state"]) == {"a": 1}
    assert not blocked
    assert "set JUPYTERHUB_CRYPT_KEY" in take(data, sealer=Sealer(keys))[2][0]
    rows, report, blocked = take(data, sealer=Sealer(keys), keep_auth_state=False)
    assert rows["users"][0]["auth_state"] is None
    assert not blocked
    assert "--no-auth-state" in report


def test_shares_are_of_their_server_and_codes_good_for_as_long_as_they_were() -> None:
    share = ShareRow(id=1, spawner_id=5, user_id=7, created_at=NOW, scopes=[ACCESS, "odd"])
    hashed = hash_token("x" * 43, 1)
    code = ShareCodeRow(id=1, spawner_id=5, hashed=hashed, prefix="xxxx", expires_at=NOW + 5)
    over = [replace(share, id=2, user_id=3, expires_at=NOW), replace(share, id=3, spawner_id=99)]
    nobody = replace(share, id=4, user_id=99)
    codes = [replace(code, scopes=share.scopes), replace(code, id=2, expires_at=NOW, scopes=share.scopes)]
    rows, _, _ = take(replace(DATA, shares=[share, *over, nobody], share_codes=codes))
    assert [(row["id"], row["scopes"]) for row in rows["shares"]] == [(1, '["access:servers"]')]
    [kept] = rows["share_codes"]
    assert (kept["id"], kept["expires"], kept["prefix"]) == (1, NOW + 5, "xxxx")


def test_a_service_s_client_is_known_by_the_secret_that_the_configuration_gives_it() -> None:
    secret = hash_token(SECRET, 16384)
    client = replace(CLIENT, identifier="service-board", secret=secret, redirect_uri="/b/cb")
    service = ServiceRow(id=1, name="board", oauth_client_id="service-board", url="http://127.0.0.1:1")
    data = replace(DATA, oauth_clients=[client], services=[service])
    [kept] = take(data, service_secrets={"service-board": SECRET})[0]["oauth_clients"]
    assert (kept["kind"], kept["hashed_secret"]) == ("service", digest(SECRET))
    [kept] = take(data, service_secrets={"service-board": "another"})[0]["oauth_clients"]
    assert kept["hashed_secret"] == client.secret


def test_what_came_goes_back() -> None:
    """There and back again, nothing of what JupyterHub knows is lost or gains anything."""
    own = replace(TOKEN, id=8, note="Server at /user/ada/", scopes=["access:servers!server=ada/"])
    share = ShareRow(id=1, spawner_id=5, owner_id=3, user_id=7, created_at=NOW, scopes=[ACCESS])
    data = replace(DATA, api_tokens=[TOKEN, own], shares=[share])
    rows, _, _ = take(data)
    tables: dict[str, Any] = {name: rows.get(name, []) for name in TABLES}
    back, _ = convert_back(tables, base_url="/", now=NOW, new_id=iter(["n1", "n2"]).__next__)
    assert [replace(row, cookie_id="") for row in back.users] == [
        replace(ADA, cookie_id=""),
        replace(BEA, cookie_id="", created=NOW),
    ]
    assert [(row.id, row.hashed, row.scopes) for row in back.api_tokens] == [
        (1, TOKEN.hashed, ["inherit"]),
        (8, TOKEN.hashed, ["access:servers!server=ada/"]),
    ]
    assert back.shares == [share]
    [spawner] = back.spawners
    assert (spawner.id, spawner.state, spawner.oauth_client_id) == (5, {"pid": 12}, CLIENT.identifier)
    assert back.servers[0].base_url == "/user/ada/"
    assert back.servers[0].port == 4000
    client = next(row for row in back.oauth_clients if row.identifier == CLIENT.identifier)
    assert (client.secret, client.redirect_uri) == (CLIENT.secret, CLIENT.redirect_uri)
    held = {(row.user_id, row.role_id) for row in back.user_role_map}
    admin = next(row.id for row in back.roles if row.name == "admin")
    assert held == {(3, 1), (7, 1), (7, 4), (3, admin)}
