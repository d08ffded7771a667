"""Lists of users: filters, order and pages."""

from __future__ import annotations

from tests.compat.beside.asking import PAGES, Case, case, delete, get, post

_NAMES = [f"page-{letter}" for letter in "dcabe"]
_MAKE = post("/users", {"usernames": _NAMES})
_END = tuple(delete(f"/users/{name}") for name in _NAMES)
_QUERIES = (
    "",
    "&offset=0",
    "&offset=2",
    "&offset=99",
    "&offset=-1",
    "&offset=x",
    "&offset=",
    "&offset=1.5",
    "&offset=999999999999999999999",
    "&limit=2",
    "&limit=1",
    "&limit=0",
    "&limit=-2",
    "&limit=200",
    "&limit=5000",
    "&limit=x",
    "&limit=",
    "&limit=2&offset=2",
    "&limit=2&offset=4",
    "&limit=2&limit=3",
    "&limit=2&other=a%20b&empty=",
    "&sort=name",
    "&sort=-name",
    "&sort=id",
    "&sort=-id",
    "&sort=last_activity",
    "&sort=-last_activity",
    "&sort=created",
    "&sort=",
    "&sort=-",
    "&sort=--name",
    "&sort=NAME",
    "&state=active",
    "&state=ready",
    "&state=inactive",
    "&state=asleep",
    "&state=",
    "&state=ACTIVE",
    "&include_stopped_servers=1",
)
_ACCEPTS = (
    PAGES["Accept"],
    PAGES["Accept"].upper(),
    f"text/html, {PAGES['Accept']}",
    f"{PAGES['Accept']};q=0.5",
    f"application/json,{PAGES['Accept']} ",
    "application/json",
    "*/*",
    "",
)

CASES: tuple[Case, ...] = (
    case(
        "pages in the plain form",
        _MAKE,
        *(get(f"/users?name_filter=page-{query}") for query in _QUERIES),
        *_END,
    ),
    case(
        "pages with their links",
        _MAKE,
        *(get(f"/users?name_filter=page-{query}", headers=PAGES) for query in _QUERIES),
        *_END,
    ),
    case(
        "which form a client accepts",
        _MAKE,
        *(get("/users?name_filter=page-&limit=2", headers={"Accept": kind}) for kind in _ACCEPTS),
        *_END,
    ),
    case(
        "filters by name",
        _MAKE,
        *(
            get(f"/users?name_filter={part}")
            for part in (
                "page-a",
                "PAGE-A",
                "ge-a",
                "page_a",
                "%25",
                "page-%25",
                "_____-_",
                "nothing",
                "%27",
                "%C3%A9",
            )
        ),
        *_END,
    ),
    case(
        "lists of users as others",
        *(get("/users?name_filter=ad", who) for who in ("ada", "lister", "reader of ada", "names", "nobody")),
        *(get("/users?name_filter=ad", who, headers=PAGES) for who in ("ada", "lister", "reader of ada")),
        get("/users?name_filter=ad", "stranger"),
    ),
    case(
        "lists by state",
        post("/users", {"usernames": ["state-off", "state-on"]}),
        post("/users/state-on/server"),
        get("/users/state-on", until=("json.servers..ready", True)),
        *(
            get(f"/users?name_filter=state-{query}", headers=PAGES)
            for query in ("", "&state=active", "&state=ready", "&state=inactive")
        ),
        delete("/users/state-on"),
        delete("/users/state-off"),
    ),
)
