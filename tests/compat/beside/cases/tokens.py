"""/users/NAME/tokens: made with a token, a cookie or a password; listed and revoked."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case, case, delete, get, post
from tests.rigs.singleusers import PASSWORD

_BODIES: dict[str, object] = {
    "nothing": b"",
    "null": None,
    "an empty object": {},
    "a note": {"note": "for a test"},
    "an empty note": {"note": ""},
    "null for the note": {"note": None},
    "a number for the note": {"note": 1},
    "a long note": {"note": "x" * 300},
    "unicode in the note": {"note": "Grüße 🎈"},
    "an expiry": {"expires_in": 3600},
    "null for the expiry": {"expires_in": None},
    "no time": {"expires_in": 0},
    "less than no time": {"expires_in": -5},
    "a text for the expiry": {"expires_in": "60"},
    "a fraction for the expiry": {"expires_in": 1.5},
    "true for the expiry": {"expires_in": True},
    "a huge expiry": {"expires_in": 10**20},
    "no scopes": {"scopes": []},
    "null for the scopes": {"scopes": None},
    "a scope": {"scopes": ["read:users!user=ada"]},
    "a scope of one's own": {"scopes": ["read:users!user"]},
    "self": {"scopes": ["self"]},
    "inherit": {"scopes": ["inherit"]},
    "scopes that it does not have": {"scopes": ["admin:users"]},
    "some of both": {"scopes": ["read:users!user=ada", "shutdown"]},
    "an unknown scope": {"scopes": ["read:tea-leaves"]},
    "an unknown filter": {"scopes": ["read:users!colour=red"]},
    "a text for the scopes": {"scopes": "read:users"},
    "numbers for scopes": {"scopes": [1]},
    "a role": {"roles": ["token"]},
    "the user role": {"roles": ["user"]},
    "the admin role": {"roles": ["admin"]},
    "an unknown role": {"roles": ["no-such-role"]},
    "no roles": {"roles": []},
    "null for the roles": {"roles": None},
    "a text for the roles": {"roles": "user"},
    "roles and scopes": {"roles": ["user"], "scopes": ["read:users!user"]},
    "unknown fields": {"colour": "red"},
    "a list": [],
    "a list with something": [1],
    "a text": "x",
    "no JSON": b"{not json",
}
_LOG_IN = {"username": "ada", "password": PASSWORD}


def _auth(what: str, body: object, name: str = "ada") -> Case:
    return case(f"log in by the body: {what}", post(f"/users/{name}/tokens", body, "nobody"))


CASES: tuple[Case, ...] = (
    *(
        case(f"make a token: {what}", post("/users/ada/tokens", body, "ada"))
        for what, body in _BODIES.items()
    ),
    case(
        "make a token as others",
        *(
            post("/users/ada/tokens", {}, who)
            for who in (
                "admin",
                "bea",
                "lister",
                "ada's nothing",
                "nobody",
                "stranger",
                "ada's cookie",
                "ada's page",
            )
        ),
        post("/users/nemo/tokens", {}),
        post("/users/nemo/tokens", {}, "ada"),
        post("/users/bea/tokens", {"scopes": ["admin:users"]}),
        post("/users/ada/tokens", {"scopes": ["read:users!user=bea"]}),
    ),
    _auth("it fits", {"auth": _LOG_IN}),
    _auth("with a note", {"auth": _LOG_IN, "note": "by password", "expires_in": 60}),
    _auth("a wrong password", {"auth": _LOG_IN | {"password": "wrong"}}),
    _auth("no password", {"auth": {"username": "ada"}}),
    _auth("no name", {"auth": {"password": PASSWORD}}),
    _auth("empty", {"auth": {}}),
    _auth("null", {"auth": None}),
    _auth("a text", {"auth": "ada"}),
    _auth("a list", {"auth": ["ada", PASSWORD]}),
    _auth("for somebody else", {"auth": _LOG_IN}, "bea"),
    _auth("for nobody", {"auth": _LOG_IN}, "nemo"),
    _auth("an admin for another", {"auth": {"username": "admin", "password": PASSWORD}}),
    _auth("somebody who is not there", {"auth": {"username": "nemo", "password": PASSWORD}}, "nemo"),
    _auth("at the top of the body", _LOG_IN),
    _auth("numbers", {"auth": {"username": 1, "password": 2}}),
    case(
        "log in by the body beside a token",
        post("/users/ada/tokens", {"auth": _LOG_IN}, "stranger"),
        post("/users/ada/tokens", {"auth": {"username": "x", "password": "y"}}, "ada"),
        post("/users/ada/tokens", {"auth": _LOG_IN}, "bea"),
        post("/users/ada/tokens", {"auth": _LOG_IN}, "ada's cookie"),
    ),
    case(
        "a token's life",
        post("/users/lifer"),
        get("/users/lifer/tokens"),
        post("/users/lifer/tokens", {"note": "one"}, keep={"first": "id", "secret": "token"}),
        get("/users/lifer/tokens/$first"),
        post("/users/lifer/tokens", {"note": "two"}, keep={"second": "id"}),
        get("/users/lifer/tokens"),
        get("/user", "nobody", headers={"Authorization": "token $secret"}),
        get("/users/ada/tokens/$first"),
        get("/users/lifer/tokens/$first", "ada"),
        get("/users/lifer/tokens/$first", "nobody"),
        delete("/users/ada/tokens/$first"),
        delete("/users/lifer/tokens/$first", "ada"),
        delete("/users/lifer/tokens/$first", "nobody"),
        Ask("HEAD", "/users/lifer/tokens/$first"),
        delete("/users/lifer/tokens/$first"),
        delete("/users/lifer/tokens/$first"),
        get("/users/lifer/tokens/$first"),
        get("/user", "nobody", headers={"Authorization": "token $secret"}),
        get("/users/lifer/tokens"),
        delete("/users/lifer"),
        get("/users/lifer/tokens"),
    ),
    case(
        "ids that are none",
        *(
            get(f"/users/ada/tokens/{text}")
            for text in (
                "a999999",
                "999999",
                "b1",
                "a",
                "ax",
                "a-1",
                "a1.0",
                "%20a1",
                "a%201",
                "1",
                "a" + "9" * 30,
            )
        ),
        *(delete(f"/users/ada/tokens/{text}") for text in ("a999999", "b1", "a", "ax", "a" + "9" * 30)),
        get("/users/nemo/tokens/a1"),
        delete("/users/nemo/tokens/a1"),
    ),
    case(
        "a token that ends itself",
        post("/users/ender"),
        post("/users/ender/tokens", {}, keep={"id": "id", "secret": "token"}),
        delete("/users/ender/tokens/$id", "nobody", headers={"Authorization": "token $secret"}),
        get("/user", "nobody", headers={"Authorization": "token $secret"}),
        delete("/users/ender"),
    ),
    case(
        "lists of tokens as others",
        *(get("/users/bea/tokens", who) for who in ("ada", "lister", "nobody", "stranger")),
    ),
    case(
        "ask about a token, in the old way",
        post("/users/bea/tokens", {"note": "old"}, keep={"secret": "token"}),
        get("/authorizations/token/$secret"),
        get("/authorizations/token/$secret", "ada"),
        get("/authorizations/token/$secret", "ada's nothing"),
        get("/authorizations/token/$secret", "nobody"),
        get("/authorizations/token/$secret", "stranger"),
        get("/authorizations/token/$secret", "ada's page"),
        get("/authorizations/token/0000"),
        get("/authorizations/token/0000", "ada"),
        post("/authorizations/token", {"username": "ada"}, "nobody"),
        post("/authorizations/token", {}),
    ),
    case(
        "ask about a cookie, in the old way",
        get("/authorizations/cookie/jupyterhub-hub-login/nonsense"),
        get("/authorizations/cookie/other/nonsense"),
        get("/authorizations/cookie/jupyterhub-hub-login/nonsense", "nobody"),
        get("/authorizations/cookie/jupyterhub-hub-login/nonsense", "ada"),
        get("/authorizations/cookie/jupyterhub-hub-login"),
        Ask("GET", "/authorizations/cookie/jupyterhub-hub-login", body=b"nonsense"),
    ),
)
