from __future__ import annotations

import pytest

from carrel.app.web_app import build_web_app
from carrel.http.sessions import LOGIN_COOKIE, sign
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of

PASSWORD = "open sesame"
ADA = {"username": "ada", "password": PASSWORD}


async def test_a_token_tells_what_it_may_do(clients: Clients) -> None:
    made = (await clients["ada"].post(f"{API}/users/ada/tokens", json={"scopes": ["read:users!user"]})).json()
    scopes = [
        *("read:users!user=ada", "read:users:activity!user=ada"),
        *("read:users:groups!user=ada", "read:users:name!user=ada"),
    ]
    assert made["scopes"] == scopes
    shown = (await clients["ada"].get(f"{API}/users/ada/tokens/{made['id']}")).json()
    assert shown["scopes"] == scopes
    assert "token" not in shown


async def test_roles_of_old_clients_stand_for_scopes(clients: Clients) -> None:
    whole = (await clients["ada"].post(f"{API}/users/ada/tokens", json={"roles": ["token"]})).json()
    own = (await clients["ada"].post(f"{API}/users/ada/tokens", json={"roles": ["user"]})).json()
    assert own["scopes"] == whole["scopes"]
    more = await clients["ada"].post(f"{API}/users/ada/tokens", json={"roles": ["admin"]})
    assert more.status_code == 400
    assert more.json()["message"].endswith("not held by User ada")


@pytest.mark.parametrize(
    ("caller", "body", "note"),
    [
        ("ada", {}, "Requested via api"),
        ("ada", {"note": ""}, "Requested via api"),
        ("ada", {"note": None}, "Requested via api"),
        ("root", {}, "Requested via api by user root"),
        ("root", {"note": "mine"}, "mine"),
    ],
)
async def test_the_note_says_who_asked(clients: Clients, caller: str, body: object, note: str) -> None:
    assert (await clients[caller].post(f"{API}/users/ada/tokens", json=body)).json()["note"] == note


@pytest.mark.parametrize("token_id", ["a99", "b1", "1", "a", "a-1", "a" + "9" * 40, "a%C2%B2"])
async def test_ids_of_no_token(clients: Clients, token_id: str) -> None:
    for method in ("GET", "DELETE"):
        reply = await clients["ada"].request(method, f"{API}/users/ada/tokens/{token_id}")
        assert reply.status_code == 404
        assert reply.json()["message"].startswith("No such token ")


async def test_a_password_makes_a_token() -> None:
    async with open_test_hub(plugins={"DummyAuthenticator": {"password": PASSWORD}}) as hub:
        await hub.make_user("ada")
        await hub.make_user("bea")
        async with client_of(build_web_app(hub.ctx)) as nobody:
            made = await nobody.post(f"{API}/users/ada/tokens", json={"auth": ADA, "note": "by password"})
            assert (made.status_code, made.json()["note"]) == (201, "by password")
            refused = (
                ("ada", {**ADA, "password": "wrong"}),
                ("ada", "ada"),
                ("ada", {"username": 1, "password": PASSWORD}),
                ("ada", None),
                ("bea", ADA),
                ("ghost", {**ADA, "username": "ghost"}),
            )
            for name, auth in refused:
                reply = await nobody.post(f"{API}/users/{name}/tokens", json={"auth": auth})
                assert reply.status_code == 403, (name, auth)
        async with client_of(build_web_app(hub.ctx), made.json()["token"]) as ada:
            assert (await ada.get(f"{API}/user")).json()["name"] == "ada"
            assert len((await ada.get(f"{API}/users/ada/tokens")).json()["api_tokens"]) == 1


async def test_whose_token_or_cookie_it_is(hub: TrialHub, clients: Clients) -> None:
    ada = (await hub.find("ada")).user
    path = f"{API}/authorizations/token/{await hub.token_of(ada)}"
    as_bea = (await clients["bea"].get(path)).json()
    assert as_bea.keys() == {"kind", "name", "admin", "user_info", "groups"}
    assert (as_bea["name"], (await clients["root"].get(path)).json()["server"]) == ("ada", "/user/ada/")
    forged = sign("x" * 43, hub.settings.cookie_secret)
    for value in ("nonsense", forged):
        reply = await clients["root"].get(f"{API}/authorizations/cookie/{LOGIN_COOKIE}/{value}")
        assert reply.status_code == 404
