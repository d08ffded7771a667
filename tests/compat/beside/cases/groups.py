"""Groups."""

from __future__ import annotations

from tests.compat.beside.asking import PAGES, Case, case, delete, get, post, put

CASES: tuple[Case, ...] = (
    case(
        "groups",
        get("/groups"),
        get("/groups", headers=PAGES),
        get("/groups", "ada"),
        get("/groups", "nobody"),
        post("/groups", {"groups": ["red", "blue"]}),
        post("/groups", {"groups": []}),
        post("/groups", {}),
        post("/groups/red"),
        post("/groups/green", {"users": ["ada"]}),
        post("/groups/wrong", {"users": ["nemo"]}),
        post("/groups/wrong", {"colour": 1}),
        post("/groups/green", {}, "ada"),
        get("/groups/green"),
        get("/groups/green", "ada"),
        get("/groups/none"),
        post("/groups/red/users", {"users": ["ada", "bea"]}),
        post("/groups/red/users", {"users": ["nemo"]}),
        post("/groups/red/users", {}),
        get("/users/ada"),
        delete("/groups/red/users", body={"users": ["ada"]}),
        delete("/groups/red/users", body={}),
        put("/groups/red/properties", {"size": 3}),
        put("/groups/red/properties", []),
        get("/groups/red"),
        get("/groups?limit=1", headers=PAGES),
        *(delete(f"/groups/{name}") for name in ("red", "blue", "green", "none")),
        get("/users/ada"),
    ),
)
