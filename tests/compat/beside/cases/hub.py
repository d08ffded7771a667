"""The hub itself: version, information, health, metrics, shut-down, the proxy's table."""

from __future__ import annotations

from tests.compat.beside.asking import PAGES, Ask, Case, case, delete, get, patch, post, put

_EVERYBODY = ("admin", "ada", "lister", "ada's nothing", "nobody", "stranger", "ada's cookie")


def _all(path: str) -> Case:
    return case(f"{path or 'the bare address'} as everybody", *(get(path, who) for who in _EVERYBODY))


CASES: tuple[Case, ...] = (
    _all(""),
    _all("/"),
    _all("/info"),
    _all("/health"),
    _all("/metrics"),
    _all("/proxy"),
    _all("/nothing/here"),
    case(
        "health and metrics as pages",
        get("/hub/health", "nobody"),
        Ask("HEAD", "/hub/health", "nobody"),
        get("/hub/metrics", "nobody"),
        get("/hub/metrics", "lister"),
        get("/hub/metrics", "ada"),
    ),
    case(
        "the version and other methods",
        Ask("HEAD", "", "nobody"),
        Ask("OPTIONS", "", "nobody"),
        post("", {}, "nobody"),
        post("/", {}, "admin"),
        get("", "nobody", headers={"Origin": "https://elsewhere.example"}),
    ),
    case(
        "what clients accept",
        *(
            get("/info", headers={"Accept": kind})
            for kind in ("application/json", "text/html", "*/*", "image/png", PAGES["Accept"], "")
        ),
    ),
    case(
        "shut down, refused",
        post("/shutdown", {}, "nobody"),
        post("/shutdown", {}, "ada"),
        post("/shutdown", {}, "lister"),
        post("/shutdown", {}, "user maker"),
        post("/shutdown", {"proxy": "maybe"}),
        post("/shutdown", {"servers": "all"}),
        post("/shutdown", {"servers": None}),
        post("/shutdown", {"proxy": 2}),
        post("/shutdown", b"{not json"),
        get("/shutdown"),
        delete("/shutdown"),
    ),
    case(
        "the proxy's table",
        get("/proxy", headers=PAGES),
        get("/proxy?limit=1", headers=PAGES),
        get("/proxy?offset=1"),
        get("/proxy?limit=x"),
        post("/proxy"),
        post("/proxy", {}, "ada"),
        post("/proxy", {}, "nobody"),
        put("/proxy", {}),
        delete("/proxy"),
    ),
    case(
        "another proxy, refused",
        patch("/proxy"),
        patch("/proxy", b"{not json"),
        patch("/proxy", []),
        patch("/proxy", {}),
        patch("/proxy", None),
        patch("/proxy", {"colour": "red"}),
        patch("/proxy", {"api_url": 5}),
        patch("/proxy", {"auth_token": ["x"]}),
        get("/proxy"),
        patch("/proxy", {}, "ada"),
        patch("/proxy", {}, "nobody"),
        patch("/proxy", {"api_url": "http://127.0.0.1:1"}, "lister"),
    ),
    case(
        "reports of pages' policies",
        post("/hub/security/csp-report", {"csp-report": {}}, "nobody"),
        post("/hub/security/csp-report", {"csp-report": {}}, "ada's cookie"),
        post("/hub/security/csp-report", {"csp-report": {}}, "ada's page"),
        get("/hub/security/csp-report", "nobody"),
    ),
)
