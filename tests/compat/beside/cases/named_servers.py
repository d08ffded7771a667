"""Named servers: making, starting, changing, stopping and removing them, and their pages."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case, delete, get, patch, post, put, with_user

LAB = "/users/pat/servers/lab"
_READY = ("json.servers.lab.ready", True)
_STOPPED = ("json.stopped", True)
_REMOVE = {"remove": True}
_OTHERS = ("ada", "lister", "starter", "servers", "nobody", "stranger")
_BAD_NAMES = (
    "Lab",
    "1lab",
    "lab-",
    "-lab",
    "a--b",
    "a.b",
    "a_b",
    "NOT%20A%20NAME",
    "l%C3%A4b",
    "%E5%AE%9E%E9%AA%8C",
    "x" * 31,
    "%20",
)
_GOOD_NAMES = ("x", "a-b", "lab2", "x" * 30)
_DISPLAY = {
    "a word": "Mine",
    "several words": "My third server",
    "other letters": "Größe 实验 🚀",
    "an accent in two parts": "Zu\u0308rich",
    "nothing": "",
    "a space first": " x",
    "two spaces": "a  b",
    "a line break": "a\nb",
    "a tab": "a\tb",
    "too much": "x" * 256,
    "as much as may be": "x" * 255,
}
_CHANGES: dict[str, object] = {
    "nothing": {},
    "no body": b"",
    "null": None,
    "a list": [1],
    "no JSON": b"{",
    "an unknown field": {"colour": "red"},
    "options": {"user_options": {"a": [1, {"b": None}]}},
    "no options": {"user_options": {}},
    "null for options": {"user_options": None},
    "a number for options": {"user_options": 5},
    "a list for options": {"user_options": [1]},
    "a display name": {"display_name": "Other"},
    "an empty display name": {"display_name": ""},
    "null for the display name": {"display_name": None, "user_options": {}},
    "a number for the display name": {"display_name": 5},
    "a name": {"name": "gpu"},
    "its own name": {"name": "lab"},
    "a name that is taken": {"name": "taken"},
    "a bad name": {"name": "A B"},
    "an empty name": {"name": ""},
    "a number for the name": {"name": 5},
    "all at once": {"name": "gpu", "display_name": "GPU", "user_options": {"c": 1}},
    "a good name and bad options": {"name": "gpu", "user_options": 5},
}

CASES: tuple[Case, ...] = (
    with_user(
        "named, from start to end",
        get(LAB),
        get(f"{LAB}/progress"),
        delete(LAB),
        delete(LAB, body=_REMOVE),
        post(LAB, {"size": "large"}),
        get("/users/pat", until=_READY),
        get(LAB),
        get(LAB, "servers"),
        get(f"{LAB}/progress"),
        post(LAB),
        put(LAB, {}),
        patch(LAB, {"display_name": "x"}),
        patch(LAB, {"name": "gpu"}),
        get("/users/pat/server"),
        get("/users/pat?include_stopped_servers=1"),
        delete(LAB),
        get(LAB, until=_STOPPED),
        get("/users/pat"),
        get("/users/pat?include_stopped_servers=1"),
        delete(LAB),
        post(LAB),
        get("/users/pat", until=_READY),
        get(LAB),
        delete(LAB, body=_REMOVE),
        get("/users/pat?include_stopped_servers=1"),
        get(LAB, until=("status", 404)),
        delete(LAB, body=_REMOVE),
        get("/users/pat"),
    ),
    with_user(
        "made without a start",
        put(LAB),
        get(LAB),
        put(LAB),
        get("/users/pat"),
        get("/users/pat?include_stopped_servers=1"),
        get(f"{LAB}/progress"),
        put("/users/pat/servers/two", {"user_options": {"a": 1}, "display_name": "Two"}),
        get("/users/pat/servers/two"),
        put("/users/pat/servers/three", {"a": 1}),
        get("/users/pat/servers/three"),
        put("/users/pat/servers/four"),
        post("/users/pat/servers/four"),
        put("/users/pat/server"),
        put("/users/pat/servers/"),
        delete("/users/pat/servers/two", body=_REMOVE),
        put("/users/pat/servers/four"),
        post(LAB),
        get("/users/pat", until=_READY),
    ),
    *(
        with_user(
            f"with the bad name {number}",
            put(f"/users/pat/servers/{name}"),
            post(f"/users/pat/servers/{name}"),
        )
        for number, name in enumerate(_BAD_NAMES)
    ),
    *(
        with_user(
            f"with the good name {number}",
            put(f"/users/pat/servers/{name}"),
            get(f"/users/pat/servers/{name}"),
            delete(f"/users/pat/servers/{name}", body=_REMOVE),
        )
        for number, name in enumerate(_GOOD_NAMES)
    ),
    *(
        with_user(
            f"called {what}",
            put(LAB, {"display_name": text}),
            get(LAB),
            post("/users/pat/servers/two", {"display_name": text}),
            get("/users/pat/servers/two"),
        )
        for what, text in _DISPLAY.items()
    ),
    *(
        with_user(
            f"changed by {what}",
            put(LAB, {"user_options": {"old": True}}),
            put("/users/pat/servers/taken"),
            patch(LAB, body),
            get(LAB),
            get("/users/pat/servers/gpu"),
        )
        for what, body in _CHANGES.items()
    ),
    with_user(
        "renamed after a run",
        post(LAB, {"size": 1}),
        get("/users/pat", until=_READY),
        delete(LAB),
        get(LAB, until=_STOPPED),
        patch(LAB, {"name": "gpu"}),
        get(LAB),
        post("/users/pat/servers/gpu"),
        get("/users/pat", until=("json.servers.gpu.ready", True)),
        get("/users/pat/servers/gpu"),
    ),
    with_user(
        "the default one, renamed",
        post("/users/pat/server", {"size": 1}),
        get("/users/pat", until=("json.servers..ready", True)),
        delete("/users/pat/server"),
        get("/users/pat", until=("json.server", None)),
        patch("/users/pat/server", {"name": "old", "display_name": "Old one"}),
        get("/users/pat/servers/old"),
        post("/users/pat/server"),
        get("/users/pat", until=("json.servers..ready", True)),
        get("/users/pat?include_stopped_servers=1"),
    ),
    with_user(
        "the default one, before it ever ran",
        patch("/users/pat/server", {"user_options": {"a": 1}}),
        patch("/users/pat/server", {"display_name": "x"}),
        get("/users/pat/server"),
        patch("/users/pat/server", {"name": "old"}),
        get("/users/pat/servers/old"),
    ),
    with_user(
        "by an address without a name",
        get("/users/pat/servers/"),
        post("/users/pat/servers/"),
        get("/users/pat", until=("json.servers..ready", True)),
        patch("/users/pat/servers/", {"user_options": {}}),
        delete("/users/pat/servers/", body=_REMOVE),
        delete("/users/pat/servers/"),
    ),
    with_user(
        "beyond the limit",
        *(put(f"/users/pat/servers/s{number}") for number in range(4)),
        post("/users/pat/servers/s4"),
        post("/users/pat/servers/NO"),
        patch("/users/pat/server", {"name": "s5"}),
        patch("/users/pat/servers/s0", {"name": "s6"}),
        post("/users/pat/servers/s1"),
        get("/users/pat?include_stopped_servers=1"),
    ),
    with_user(
        "named, as others",
        put(LAB),
        *(Ask(method, LAB, who, {}) for who in _OTHERS for method in ("POST", "PUT", "PATCH", "DELETE")),
        *(get(LAB, who) for who in _OTHERS),
        *(get(f"{LAB}/progress", who) for who in _OTHERS),
        *(put("/users/pat/servers/new", {}, who) for who in _OTHERS),
    ),
    with_user(
        "with a scope for one",
        *(Ask(method, LAB, "lab alone", {"user_options": {}}) for method in ("PUT", "PATCH", "GET")),
        post(LAB, {}, "lab alone"),
        get(LAB, "lab alone", until=("json.ready", True)),
        get("/users/pat", "lab alone"),
        get("/users/pat/server", "lab alone"),
        *(
            Ask(method, "/users/pat/servers/gpu", "lab alone", {"user_options": {}})
            for method in ("POST", "PUT", "PATCH", "GET", "DELETE")
        ),
        delete(LAB, "lab alone"),
        get(LAB, "lab alone", until=_STOPPED),
        patch(LAB, {"name": "gpu"}, "lab alone"),
    ),
    with_user(
        "named, slow to start",
        post(LAB, {"wait": 1}),
        get(LAB),
        get("/users/pat"),
        post(LAB),
        put(LAB),
        patch(LAB, {"user_options": {}}),
        delete(LAB),
        get(LAB, until=_STOPPED),
    ),
    with_user(
        "named, failing",
        post(LAB, {"fail": "out of tea"}),
        get(f"{LAB}/progress"),
        patch(LAB, {"user_options": {}}),
        post(LAB),
        get("/users/pat", until=_READY),
    ),
    with_user(
        "named, with odd bodies",
        *(put(LAB, body) for body in ([1], "x", 7, b"{", {"user_options": [1]}, {"display_name": 5})),
        put(LAB, {"display_name": "", "user_options": None}),
        *(delete(LAB, body=body) for body in ({}, None, {"remove": False}, {"colour": 1}, b"{")),
        get(LAB),
    ),
    with_user(
        "reported active by name",
        put(LAB),
        post("/users/pat/activity", {"servers": {"lab": {"last_activity": "2020-01-01T00:00:00.123456Z"}}}),
        post("/users/pat/activity", {"servers": {"none": {"last_activity": "2020-01-01T00:00:00.123456Z"}}}),
        get(LAB),
    ),
    with_user(
        "gone with its user",
        post(LAB),
        get("/users/pat", until=_READY),
        put("/users/pat/servers/gpu"),
    ),
    with_user(
        "of nobody, by name",
        *(
            Ask(method, "/users/nemo/servers/lab", "admin", {"user_options": {}})
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        ),
        get("/users/nemo/servers/lab/progress"),
    ),
    with_user(
        "on pages",
        put("/users/ada/servers/page"),
        get("/hub/user/ada/page/", "ada's visit"),
        get("/hub/user/ada/page/lab", "ada's visit"),
        get("/hub/user/ada/none/", "ada's visit"),
        get("/hub/user/bea/page/", "ada's visit"),
        get("/hub/spawn-pending/ada/page", "ada's visit"),
        get("/hub/spawn-pending/ada/none", "ada's visit"),
        get("/hub/spawn/ada/NO", "ada's visit"),
        get("/hub/spawn/bea/page", "ada's visit"),
        get("/hub/spawn/ada/page", "nobody"),
        get("/hub/spawn/ada/page?opt-wait=1", "ada's visit"),
        get("/hub/spawn-pending/ada/page", "ada's visit"),
        get("/hub/user/ada/page/lab", "ada's visit"),
        get("/hub/spawn/ada/page", "ada's visit"),
        delete("/users/ada/servers/page", body=_REMOVE),
        get("/users/ada/servers/page", until=("status", 404)),
    ),
)
