"""/users: making, showing, changing and removing them."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case, case, delete, get, patch, post
from tests.compat.beside.hubs import TOKENS

_READERS = ("admin", "ada", "bea", *TOKENS, "nobody", "stranger")
_BODIES: dict[str, object] = {
    "no JSON": b"{not json",
    "half a string": b'{"usernames": ["x',
    "a list": [],
    "a text": "x",
    "a number": 1,
    "null": None,
    "an empty object": {},
    "no names": {"usernames": []},
    "null for names": {"usernames": None},
    "an empty name": {"usernames": [""]},
    "a text for admin": {"usernames": ["body1"], "admin": "yes"},
    "null for admin": {"usernames": ["body1"], "admin": None},
    "unknown fields": {"usernames": ["body2"], "colour": "red"},
    "a bad name": {"usernames": ["a/b"]},
    "two bad names": {"usernames": ["a/b", "c/d", "fine"]},
    "an empty body": b"",
    "spaces": b"   ",
}
_NAMES = {
    "an at sign": "x%40y.org",
    "an encoded letter": "%61nnika",
    "umlauts": "j%C3%BCrgen",
    "another alphabet": "%D0%B8%D0%B2%D0%B0%D0%BD",
    "an emoji": "%F0%9F%8E%88",
    "a space inside": "two%20words",
    "a plus": "a+b",
    "a percent sign": "50%2525",
    "a slash": "a%2Fb",
    "a question mark": "what%3F",
    "a tilde and an apostrophe": "~o'neill",
    "bad UTF-8": "%FF",
    "a semicolon": "a;b=c",
    "dots": "j.r.r.t",
}


def _named(what: str, name: str) -> Case:
    path = f"/users/{name}"
    return case(
        f"a user's name with {what}",
        get(path),
        post(path),
        get(path),
        get(f"{path}/server"),
        post(f"{path}/tokens", {}),
        patch(path, {"admin": True}),
        delete(path),
        get(path),
    )


def _changed(what: str, body: object, who: str = "admin") -> Case:
    return case(
        f"change a user: {what}",
        post("/users/changer"),
        patch("/users/changer", body, who),
        get("/users/changer"),
        delete("/users/changer"),
    )


CASES: tuple[Case, ...] = (
    *(case(f"ada as {who} sees her", get("/users/ada", who)) for who in _READERS),
    case("a user who is not there", *(get("/users/nemo", who) for who in _READERS)),
    case(
        "stopped servers, wanted or not",
        *(
            get(f"/users/ada?include_stopped_servers{value}")
            for value in ("=1", "=0", "=", "", "=false", "=yes")
        ),
    ),
    *(case(f"make users: {what}", post("/users", body)) for what, body in _BODIES.items()),
    case(
        "names that are no texts",
        post("/users", {"usernames": "seven"}),
        post("/users", {"usernames": [1]}),
        *(delete(f"/users/{letter}") for letter in "sevn"),
    ),
    case("names of bad UTF-8", post("/users", b'{"usernames": ["\xff"]}'), delete("/users/%EF%BF%BD")),
    case(
        "a name in capitals",
        post("/users/NAMED"),
        get("/users/NAMED"),
        delete("/users/NAMED"),
        delete("/users/named"),
        post("/users", {"usernames": ["LISTED"]}),
        get("/users/listed"),
        delete("/users/listed"),
    ),
    case(
        "make users who are there",
        post("/users", {"usernames": ["twin"]}),
        post("/users", {"usernames": ["twin"]}),
        post("/users", {"usernames": ["twin", "twin"]}),
        post("/users", {"usernames": ["twin", "triplet"]}),
        post("/users/twin"),
        post("/users/twin", {"admin": True}),
        delete("/users/twin"),
        delete("/users/triplet"),
    ),
    case(
        "make users as others",
        *(post("/users", {"usernames": ["denied"]}, who) for who in ("ada", "lister", "nobody", "stranger")),
        *(post("/users/denied", {}, who) for who in ("ada", "lister", "nobody", "stranger")),
    ),
    case(
        "make admins",
        post("/users", {"usernames": ["boss"], "admin": True}),
        post("/users/chief", {"admin": True}),
        get("/users/chief"),
        post("/users/lesser", {"admin": False}),
        post("/users/wrong", {"admin": "yes"}),
        post("/users/wrong", {"colour": "red"}),
        post("/users/wrong", []),
        post("/users/wrong", "text"),
        post("/users/wrong", b"{"),
        post("/users/wrong", {"name": "right"}),
        *(delete(f"/users/{name}") for name in ("boss", "chief", "lesser", "wrong", "right")),
    ),
    *(_named(what, name) for what, name in _NAMES.items()),
    _changed("the name", {"name": "changed"}),
    _changed("a name that is taken", {"name": "ada"}),
    _changed("a bad name", {"name": "a/b"}),
    _changed("no name", {"name": ""}),
    _changed("null for the name", {"name": None}),
    _changed("a number for the name", {"name": 1}),
    _changed("capitals in the name", {"name": "CHANGED2"}),
    _changed("admin", {"admin": True}),
    _changed("a text for admin", {"admin": "yes"}),
    _changed("nothing", {}),
    _changed("an unknown field", {"colour": "red"}),
    _changed("a list", []),
    _changed("null", None),
    _changed("no JSON", b"{"),
    _changed("no groups", {"groups": []}),
    _changed("a text for groups", {"groups": "all"}),
    _changed("no roles", {"roles": []}),
    _changed("a text for roles", {"roles": "all"}),
    _changed("auth_state", {"auth_state": {"a": 1}}),
    _changed("a text for auth_state", {"auth_state": "secret"}),
    _changed("null for auth_state", {"auth_state": None}),
    _changed("a list for auth_state", {"auth_state": [1]}),
    _changed("an empty auth_state", {"auth_state": {}}),
    case(
        "what an authenticator keeps",
        post("/users/keeper"),
        patch("/users/keeper", {"auth_state": {"deep": {"token": "x", "n": [1, None]}}}),
        *(get("/users/keeper", who) for who in ("admin", "user maker", "names", "lister", "ada")),
        get("/users?name_filter=keeper"),
        patch("/users/keeper", {"name": "keeper2"}),
        get("/users/keeper2"),
        patch("/users/keeper2", {"auth_state": {"other": True}}, "user maker"),
        patch("/users/keeper2", {"auth_state": {"other": False}}, "ada"),
        get("/users/keeper2"),
        delete("/users/keeper2"),
    ),
    _changed("as somebody else", {"admin": True}, "bea"),
    _changed("as nobody", {"admin": True}, "nobody"),
    _changed("as who may make users", {"admin": True}, "user maker"),
    case("change a user who is not there", patch("/users/nemo", {}), patch("/users/nemo", {}, "ada")),
    case("clean up after the changes", delete("/users/changed"), delete("/users/changed2")),
    case(
        "remove users",
        post("/users/gone"),
        delete("/users/gone", "ada"),
        delete("/users/gone", "nobody"),
        delete("/users/gone", "lister"),
        delete("/users/gone"),
        delete("/users/gone"),
        get("/users/gone"),
        delete("/users/admin"),
    ),
    case(
        "remove a user whose server runs",
        post("/users/runner"),
        post("/users/runner/server"),
        get("/users/runner", until=("json.servers..ready", True)),
        delete("/users/runner"),
        get("/users/runner"),
    ),
    case(
        "remove a user with tokens",
        post("/users/holder"),
        post("/users/holder/tokens", {}, keep={"secret": "token"}),
        get("/user", "nobody", headers={"Authorization": "token $secret"}),
        delete("/users/holder"),
        get("/user", "nobody", headers={"Authorization": "token $secret"}),
    ),
    case(
        "a new name and what goes with it",
        post("/users/before"),
        post("/users/before/tokens", {}, keep={"secret": "token"}),
        patch("/users/before", {"name": "after"}),
        get("/users/before"),
        get("/user", "nobody", headers={"Authorization": "token $secret"}),
        delete("/users/after"),
    ),
    case(
        "access for admins",
        *(post("/users/ada/admin-access", {}, who) for who in ("admin", "bea", "nobody")),
        post("/users/nemo/admin-access", {}),
    ),
    case(
        "HEAD and OPTIONS",
        Ask("HEAD", "/users/ada"),
        Ask("HEAD", "/users/nemo"),
        Ask("OPTIONS", "/users/ada"),
    ),
)

#: What leaves JupyterHub with a user who has no name.
LAST: tuple[Case, ...] = (_changed("the same name", {"name": "changer"}),)
