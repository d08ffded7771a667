"""Servers: the default one, named ones, their progress, and what activity says of them."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case, case, delete, get, patch, post, put, with_user

_LONG_AGO = "2020-01-01T00:00:00.000000Z"
_READY = ("json.servers..ready", True)


_OPTIONS: dict[str, object] = {
    "nothing": b"",
    "null": None,
    "an empty object": {},
    "options at the top": {"image": "x", "n": 1},
    "options": {"user_options": {"image": "y"}},
    "null for options": {"user_options": None},
    "a display name": {"display_name": "Mine"},
    "both": {"display_name": "Mine", "user_options": {"deep": {"a": [1, None]}}},
}
_BAD: dict[str, object] = {
    "a list": [1],
    "a text": "x",
    "a number": 7,
    "no json": b"{",
    "a list of options": {"user_options": [1]},
    "a text for options": {"user_options": "x"},
    "a number for the display name": {"display_name": 5},
    "null for the display name": {"display_name": None},
}

_MOMENTS: tuple[object, ...] = (
    _LONG_AGO,
    "2020-01-01T00:00:00",
    "2020-01-01T01:00:00+01:00",
    "2020-01-01",
    "2020-01-01 10:00",
    "soon",
    "",
    5,
    None,
    [],
    "2999-01-01T00:00:00Z",
    "20200101T000000Z",
    "Jan 2 2020",
)
_NO_REPORTS: tuple[object, ...] = ({}, [], "x", None, b"", b"{", {"colour": "red"})

CASES: tuple[Case, ...] = (
    with_user(
        "from start to stop",
        get("/users/pat/server"),
        post("/users/pat/server"),
        get("/users/pat", until=_READY),
        get("/users/pat/server"),
        get("/users/pat/server", "servers"),
        get("/users/pat/server", "ada"),
        get("/users/pat/server/progress"),
        get("/users/pat/server/progress", "ada"),
        get("/users/pat/server/progress", "nobody"),
        post("/users/pat/server"),
        patch("/users/pat/server", {"display_name": "x"}),
        patch("/users/pat/server", {"user_options": {}}),
        put("/users/pat/server", {}),
        get("/users/pat", "servers"),
        delete("/users/pat/server", "ada"),
        delete("/users/pat/server", "nobody"),
        delete("/users/pat/server", body={"remove": True}),
        delete("/users/pat/server"),
        get("/users/pat", until=("json.server", None)),
        get("/users/pat?include_stopped_servers=1"),
        get("/users/pat/server"),
        get("/users/pat/server/progress"),
        delete("/users/pat/server"),
    ),
    *(
        with_user(f"started with {what}", post("/users/pat/server", body), get("/users/pat", until=_READY))
        for what, body in _OPTIONS.items()
    ),
    *(
        with_user(f"refused with {what}", post("/users/pat/server", body), get("/users/pat"))
        for what, body in _BAD.items()
    ),
    with_user(
        "options that stay",
        post("/users/pat/server", {"size": "large"}),
        get("/users/pat", until=_READY),
        delete("/users/pat/server"),
        get("/users/pat", until=("json.server", None)),
        post("/users/pat/server"),
        get("/users/pat", until=_READY),
        delete("/users/pat/server"),
        get("/users/pat", until=("json.server", None)),
        post("/users/pat/server", {}),
        get("/users/pat", until=_READY),
    ),
    with_user(
        "that takes its time",
        post("/users/pat/server", {"wait": 1}),
        get("/users/pat"),
        get("/users/pat/server"),
        get("/users/pat?include_stopped_servers=1"),
        get("/users?name_filter=srv-that-takes&state=active"),
        get("/users?name_filter=srv-that-takes&state=ready"),
        get("/users?name_filter=srv-that-takes&state=inactive"),
        post("/users/pat/server"),
        delete("/users/pat/server"),
        get("/users/pat", until=("json.pending", None)),
    ),
    with_user(
        "that fails",
        post("/users/pat/server", {"fail": "out of tea"}),
        get("/users/pat"),
        get("/users/pat/server"),
        get("/users/pat/server/progress"),
        post("/users/pat/server", {"ok": 1}),
        get("/users/pat", until=_READY),
    ),
    with_user(
        "as others",
        *(
            post("/users/pat/server", {}, who)
            for who in ("ada", "lister", "starter", "servers", "nobody", "stranger")
        ),
        *(delete("/users/pat/server", who) for who in ("ada", "lister", "starter", "nobody", "stranger")),
        *(get("/users/pat/server", who) for who in ("ada", "lister", "starter", "nobody", "stranger")),
        *(get("/users/pat/server/progress", who) for who in ("ada", "lister", "servers", "nobody")),
    ),
    with_user(
        "with a token for starting alone",
        *(Ask(method, "/users/ada/server", "starter") for method in ("GET", "DELETE")),
    ),
    case(
        "servers of nobody",
        get("/users/nemo/server"),
        post("/users/nemo/server"),
        delete("/users/nemo/server"),
        get("/users/nemo/server/progress"),
        patch("/users/nemo/server", {"name": "x"}),
        put("/users/nemo/servers/x", {}),
    ),
    with_user(
        "changed at rest",
        post("/users/pat/server"),
        get("/users/pat", until=_READY),
        delete("/users/pat/server"),
        get("/users/pat", until=("json.server", None)),
        patch("/users/pat/server", {"user_options": {"a": 1}}),
        patch("/users/pat/server", {}),
        patch("/users/pat/server"),
        patch("/users/pat/server", {"colour": "red"}),
        patch("/users/pat/server", {"user_options": 5}),
        patch("/users/pat/server", {"display_name": "x"}),
        patch("/users/pat/server", {"name": "lab"}),
        patch("/users/pat/server", {"user_options": {}}, "ada"),
        patch("/users/pat/server", {"user_options": {}}, "nobody"),
        get("/users/pat/server"),
    ),
    with_user(
        "and its stop's body",
        delete("/users/pat/server", body={}),
        delete("/users/pat/server", body=None),
        delete("/users/pat/server", body={"remove": False}),
        delete("/users/pat/server", body={"colour": "red"}),
        delete("/users/pat/server", body=b"{"),
    ),
    with_user(
        "reported active",
        post("/users/pat/server"),
        get("/users/pat", until=_READY),
        post("/users/pat/activity", {"last_activity": _LONG_AGO}),
        post("/users/pat/activity", {"servers": {"": {"last_activity": _LONG_AGO}}}),
        post(
            "/users/pat/activity", {"last_activity": _LONG_AGO, "servers": {"": {"last_activity": _LONG_AGO}}}
        ),
        post("/users/pat/activity", {"servers": {"lab": {"last_activity": _LONG_AGO}}}),
        post("/users/pat/activity", {"servers": {"": {}}}),
        post("/users/pat/activity", {"servers": {"": _LONG_AGO}}),
        post("/users/pat/activity", {"servers": {"": {"last_activity": "soon"}}}),
        post("/users/pat/activity", {"servers": []}),
        post("/users/pat/activity", {"servers": [""]}),
        post("/users/pat/activity", {"servers": "x"}),
        post("/users/pat/activity", {"servers": {}}),
    ),
    with_user(
        "of a user reported active",
        *(post("/users/pat/activity", {"last_activity": text}) for text in _MOMENTS),
        *(post("/users/pat/activity", body) for body in _NO_REPORTS),
        *(
            post("/users/pat/activity", {"last_activity": _LONG_AGO}, who)
            for who in ("ada", "lister", "user maker", "nobody", "stranger")
        ),
        post("/users/nemo/activity", {"last_activity": _LONG_AGO}),
        get("/users/pat/activity"),
    ),
)
