"""Pages: statuses, redirects and cookies. What stands on them is each hub's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.compat.beside.asking import Ask, Case, case, get, post
from tests.rigs.singleusers import PASSWORD

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_AT_REST = (
    "/hub",
    "/hub/",
    "/hub/home",
    "/hub/home?x=1&y=%20",
    "/hub/login",
    "/hub/login?next=%2Fhub%2Fhome",
    "/hub/login?next=https%3A%2F%2Felsewhere.example%2F",
    "/hub/login?next=%2F%2Felsewhere.example",
    "/hub/token",
    "/hub/admin",
)
_OF_ADMINS = ("/hub/admin", "/hub/token", "/hub/home")
_PATHS = (
    "/hub/spawn",
    "/hub/spawn/ada",
    "/hub/spawn/bea",
    "/hub/spawn/nemo",
    "/hub/spawn-pending/ada",
    "/hub/spawn-pending/bea",
    "/hub/spawn-pending/nemo",
    "/hub/user-redirect",
    "/hub/user-redirect/",
    "/hub/user-redirect/lab/tree/a.ipynb?x=1",
    "/hub/user/ada/",
    "/hub/user/ada/lab",
    "/hub/user/bea/",
    "/hub/user/nemo/",
    "/hub/user/ada/api/contents",
    "/hub/error/503",
    "/hub/error/404?url=%2Fuser%2Fada%2F",
    "/hub/nothing",
    "/hub/logo",
    "/hub/static/favicon.ico",
    "/hub/static/none.css",
    "/hub/oauth_login",
    "/hub/oauth_callback",
    "/hub/accept-share",
    "/hub/accept-share?code=x",
    "/hub/api/oauth2/authorize",
    "/hub/api/oauth2/authorize?client_id=x&redirect_uri=%2Fx&response_type=code",
)


def _pages(paths: Iterable[str]) -> Iterator[Case]:
    for path in paths:
        yield case(f"the page {path}", *(get(path, who) for who in ("nobody", "ada's visit", "ada")))


def _token(what: str, body: str) -> Case:
    return case(f"exchange a code: {what}", post("/oauth2/token", body.encode(), "nobody", headers=_FORM))


CASES: tuple[Case, ...] = (
    *_pages(_AT_REST),
    # What else Carrel has below /hub/admin is its own.
    *(case(f"an admin's page {path}", get(path, "admin's visit")) for path in _OF_ADMINS),
    # How soon a visit finds the server that it starts is each hub's own; this one runs already.
    case(
        "a server to visit",
        post("/users/ada/server", b""),
        get("/users/ada", until=("json.servers..ready", True)),
    ),
    *_pages(_PATHS),
    case(
        "HEAD of pages",
        *(
            Ask("HEAD", path, who)
            for path in ("/hub/login", "/hub/home")
            for who in ("nobody", "ada's visit")
        ),
    ),
    case(
        "the log-in form without its token",
        post("/hub/login", f"username=ada&password={PASSWORD}".encode(), "nobody", headers=_FORM),
        post("/hub/login", b"", "nobody", headers=_FORM),
        post("/hub/login", {"username": "ada"}, "nobody"),
        post("/hub/logout", b"", "nobody", headers=_FORM),
        post("/hub/spawn", b"", "nobody", headers=_FORM),
        post("/hub/spawn", b"", "ada's cookie", headers=_FORM),
    ),
    _token("nothing", ""),
    _token(
        "an unknown client",
        "grant_type=authorization_code&client_id=x&client_secret=y&code=z&redirect_uri=/x",
    ),
    _token("another grant", "grant_type=password&client_id=x&client_secret=y&username=ada&password=z"),
    _token("no grant", "client_id=x&client_secret=y"),
    _token("no client", "grant_type=authorization_code&code=z"),
    _token("refresh", "grant_type=refresh_token&refresh_token=x&client_id=x&client_secret=y"),
    case("exchange a code: in JSON", post("/oauth2/token", {"grant_type": "authorization_code"}, "nobody")),
)
