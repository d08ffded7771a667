"""Who is asking: tokens in every form, cookies with and without XSRF, nobody."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case, case, get, post
from tests.compat.beside.hubs import WHO

_FORMS = {
    "token": "token $secret",
    "capitals": "TOKEN $secret",
    "bearer": "Bearer $secret",
    "bearer in small letters": "bearer $secret",
    "two spaces": "token  $secret",
    "a space at the end": "token $secret ",
    "no scheme": "$secret",
    "basic": "Basic $secret",
    "no token": "token",
    "an empty token": "token ",
    "no scheme that we know": "magic $secret",
    "half of it": "token 0123",
    "odd characters": "token ../../etc",
}
_MADE = post("/users/bea/tokens", {"note": "forms"}, keep={"secret": "token"})


def _form(name: str, value: str) -> Case:
    return case(f"authorization, {name}", _MADE, get("/user", "nobody", headers={"Authorization": value}))


CASES = (
    *(case(f"/user as {who}", get("/user", who)) for who in WHO),
    *(_form(name, value) for name, value in _FORMS.items()),
    case(
        "tokens elsewhere than in the header",
        _MADE,
        get("/user?token=$secret", "nobody"),
        get("/user", "nobody", headers={"X-Token": "$secret"}),
        get("/user", "nobody", headers={"Cookie": "token=$secret"}),
    ),
    case(
        "a bad token beside a good cookie",
        get("/user", "ada's page", headers={"Authorization": "token 0000"}),
        get("/user", "ada's page", headers={"Authorization": "Basic 0000"}),
        post("/users/ada/tokens", {}, "ada's page", headers={"Authorization": "token 0000"}),
    ),
    case(
        "cookies that are none",
        get("/user", "nobody", headers={"Cookie": "jupyterhub-hub-login=1|2|3"}),
        get("/user", "nobody", headers={"Cookie": 'jupyterhub-hub-login="x"; jupyterhub-session-id=y'}),
        get("/user", "nobody", headers={"Cookie": "=;;;=="}),
    ),
    case(
        "a cookie and what pages may send",
        get("/users/ada", "ada's cookie"),
        get("/users/ada", "ada's page"),
        Ask("HEAD", "/users/ada", "ada's cookie"),
        Ask("HEAD", "/users/ada", "ada's page"),
        Ask("OPTIONS", "/users/ada", "ada's cookie"),
        get("/users/ada", "ada's cookie", headers={"X-XSRFToken": "wrong"}),
        get("/users/ada?_xsrf=wrong", "ada's cookie"),
        get("/users/bea", "ada's page"),
        get("/users", "ada's page"),
        post("/users/ada/tokens", {"note": "cookie"}, "ada's cookie"),
        post("/users/ada/tokens", {"note": "page"}, "ada's page"),
        post("/users/ada/activity", {"last_activity": "2020-01-01T00:00:00Z"}, "ada's page"),
        post("/users/ada/activity", {"last_activity": "2020-01-01T00:00:00Z"}, "ada's cookie"),
    ),
    case(
        "a cookie and a body that a form could send",
        *(
            post(
                "/users/ada/activity",
                b'{"last_activity": "2020-01-01T00:00:00Z"}',
                "ada's page",
                headers={"Content-Type": kind},
            )
            for kind in (
                "application/json",
                "application/json; charset=utf-8",
                "text/plain",
                "application/x-www-form-urlencoded",
            )
        ),
    ),
    case(
        "a cookie from another site",
        get("/user", "ada's page", headers={"Origin": "https://elsewhere.example"}),
        get("/user", "ada's cookie", headers={"Origin": "https://elsewhere.example"}),
        get("/user", "nobody", headers={"Origin": "https://elsewhere.example"}),
        get("/user", "ada", headers={"Origin": "https://elsewhere.example"}),
        post("/users/ada/tokens", {}, "nobody", headers={"Origin": "https://elsewhere.example"}),
    ),
)
