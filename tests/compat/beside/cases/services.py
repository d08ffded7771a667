"""Services: of the configuration and of the API, seen by all kinds of callers, and as callers themselves."""

from __future__ import annotations

from typing import Any

from tests.compat.beside.asking import PAGES, Ask, Case, case, delete, get, patch, post, put
from tests.compat.beside.hubs import SERVICES

_LOOKERS = ("admin", "ada", "nobody", "stranger", *SERVICES, "lister", "service names", "board's reader")
_TOKEN = "0" * 31 + "1"

#: Bodies of POST /services/made, by what they are about.
_BODIES: dict[str, Any] = {
    "a token": {"api_token": _TOKEN},
    "a url": {"url": "http://127.0.0.1:$stub"},
    "a url with a path": {"url": "http://127.0.0.1:$stub/some/path"},
    "everything": {
        "name": "other",
        "admin": False,
        "url": "http://127.0.0.1:$stub",
        "api_token": _TOKEN,
        "info": {"about": {"deep": [1]}},
        "display": False,
        "oauth_no_confirm": True,
        "oauth_client_id": "service-mine",
        "oauth_redirect_uri": "https://made.example/callback",
        "oauth_client_allowed_scopes": ["read:users:name"],
    },
    "an admin": {"admin": True, "api_token": _TOKEN},
    "no admin": {"admin": False},
    "a redirect alone": {"oauth_redirect_uri": "https://made.example/callback"},
    "a callback on the hub's host": {"oauth_redirect_uri": "/made/callback"},
    "a command": {"command": ["x"]},
    "no command": {"command": [], "api_token": _TOKEN},
    "how to run it": {"cwd": "/", "environment": {"A": "b"}, "user": "x", "api_token": _TOKEN},
    "nothing": {},
    "null": None,
    "a list": [],
    "a text": "x",
    "an unknown key": {"colour": "red"},
    "a number for the url": {"url": 1},
    "a text for admin": {"admin": "yes"},
    "a number for admin": {"admin": 1},
    "a text for info": {"info": "x"},
    "a text for scopes": {"oauth_client_allowed_scopes": "read:hub"},
    "a scheme that is no web's": {"url": "ftp://127.0.0.1:1"},
    "a client of another kind": {"url": "http://127.0.0.1:$stub", "oauth_client_id": "jupyterhub-user-ada"},
    "no redirect": {"oauth_no_confirm": True},
    "an unknown scope": {"url": "http://127.0.0.1:$stub", "oauth_client_allowed_scopes": ["nonsense"]},
    "no JSON": b"{",
    "bad UTF-8": b'{"url": "\xff"}',
}


def _made(what: str, body: Any) -> Case:
    return case(
        f"make a service: {what}",
        post("/services/made", body),
        get("/services/made"),
        get("/services", "board's reader"),
        delete("/services/made"),
        get("/services/made"),
    )


CASES: tuple[Case, ...] = (
    case("services as all kinds of callers", *(get("/services", who) for who in _LOOKERS)),
    case("one service as all kinds of callers", *(get("/services/board", who) for who in _LOOKERS)),
    case("a service of the configuration that only calls", get("/services/caller"), get("/services/boss")),
    case(
        "services that are not there",
        get("/services/none"),
        get("/services/none", "ada"),
        get("/services/none", "board's reader"),
        get("/services/none", "service names"),
        delete("/services/none"),
        delete("/services/none", "ada"),
    ),
    case("services have no pages", get("/services?limit=1"), get("/services", headers=PAGES)),
    *(_made(what, body) for what, body in _BODIES.items()),
    case(
        "make a service twice",
        post("/services/made", {"api_token": _TOKEN}),
        post("/services/made", {"api_token": _TOKEN}),
        post("/services/board", {"admin": False}),
        post("/services/board", {"colour": 1}),
        post("/services/made", {}, "ada"),
        delete("/services/made", "ada"),
        delete("/services/made", "caller"),
        delete("/services/made"),
        delete("/services/made"),
    ),
    case(
        "a service that the configuration names stays",
        delete("/services/board"),
        delete("/services/board", "boss"),
        delete("/services/board", "ada"),
        get("/services/board"),
    ),
    case(
        "make services with few rights",
        post("/services/made", {"admin": True}, "service maker"),
        post(
            "/services/made",
            {"url": "http://127.0.0.1:$stub", "oauth_client_allowed_scopes": ["read:hub"]},
            "service maker",
        ),
        post("/services/made", {"api_token": _TOKEN}, "service maker"),
        get("/services/made", "service maker"),
        delete("/services/made", "service maker"),
        post("/services/made", {"api_token": _TOKEN}, "boss"),
        delete("/services/made", "boss"),
    ),
    case(
        "a service of the API calls",
        post("/services/made", {"api_token": "00000000000000000000000000000abc"}),
        get("/user", "nobody", headers={"Authorization": "token 00000000000000000000000000000abc"}),
        get("/users", "nobody", headers={"Authorization": "token 00000000000000000000000000000abc"}),
        delete("/services/made"),
        get("/user", "nobody", headers={"Authorization": "token 00000000000000000000000000000abc"}),
    ),
    case(
        "services' names",
        *(
            ask
            for name in ("with%20space", "%C3%BCber", "dot.dot", "UPPER", "a%40b", "a~b", "9")
            for ask in (
                post(f"/services/{name}", {"url": "http://127.0.0.1:$stub"}),
                get(f"/services/{name}"),
                delete(f"/services/{name}"),
            )
        ),
    ),
    case(
        "services' names that are none",
        post("/services/a%2525b", {"admin": False}),
        post("/services/%20a", {"admin": False}),
        post("/services/...", {"admin": False}),
    ),
    case(
        "methods of services",
        *(
            Ask(method, path)
            for method in ("PUT", "PATCH", "OPTIONS", "POST", "DELETE")
            for path in ("/services", "/services/board")
            if (method, path) not in {("POST", "/services/board"), ("DELETE", "/services/board")}
        ),
    ),
    case(
        "what a service may do",
        *(
            get(path, who)
            for who in SERVICES
            for path in (
                "/user",
                "/users?name_filter=ada",
                "/users/ada",
                "/users/board",
                "/info",
                "/proxy",
                "/groups",
            )
        ),
    ),
    case(
        "what a service may change",
        post("/users/made-by-boss", {}, "boss"),
        patch("/users/made-by-boss", {"admin": True}, "boss"),
        post("/users/made-by-boss/tokens", {}, "boss"),
        post("/users/made-by-boss/tokens", {"note": "n"}, "caller"),
        get("/users/made-by-boss/tokens", "boss"),
        post("/users/boss/tokens", {}, "boss"),
        get("/users/boss/tokens", "boss"),
        post("/users/made-by-boss/activity", {"last_activity": "2020-01-01T00:00:00Z"}, "boss"),
        post("/users/boss/activity", {"last_activity": "2020-01-01T00:00:00Z"}, "boss"),
        put("/groups/none/properties", {}, "boss"),
        delete("/users/made-by-boss", "caller"),
        delete("/users/made-by-boss", "boss"),
    ),
    case(
        "a service called like a user",
        post("/users/caller", {}),
        get("/users/caller", "caller"),
        get("/users/caller/tokens", "caller"),
        post("/users/caller/server", {}, "caller"),
        delete("/users/caller", "caller"),
        delete("/users/caller"),
    ),
    case(
        "whose token a service's is",
        get("/authorizations/token/11111111111111111111111111111111", "admin"),
        get("/authorizations/token/22222222222222222222222222222222", "ada"),
        get("/authorizations/token/33333333333333333333333333333333", "boss"),
        get("/authorizations/token/none", "caller"),
    ),
)
