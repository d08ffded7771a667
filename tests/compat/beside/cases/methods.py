"""Every path with every method, as somebody who may all, somebody who may nothing, and nobody."""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case, case

_PATHS = (
    "/user",
    "/users",
    "/users/nemo",
    "/users/nemo/server",
    "/users/nemo/server/progress",
    "/users/nemo/servers/lab",
    "/users/nemo/servers/lab/progress",
    "/users/nemo/servers/",
    "/users/nemo/servers",
    "/users/nemo/tokens",
    "/users/nemo/tokens/a1",
    "/users/nemo/tokens/",
    "/users/nemo/activity",
    "/users/nemo/admin-access",
    "/users/nemo/shared",
    "/users/nemo/shared/ada/lab",
    "/users/nemo/nothing",
    "/groups",
    "/groups/nobodies",
    "/groups/nobodies/users",
    "/groups/nobodies/properties",
    "/groups/nobodies/shared",
    "/groups/nobodies/shared/ada/lab",
    "/services",
    "/services/nothing",
    "/shares/nemo",
    "/shares/nemo/lab",
    "/share-codes/nemo",
    "/share-codes/nemo/lab",
    "/authorizations/token/0000",
    "/authorizations/token",
    "/authorizations/cookie/jupyterhub-hub-login/0000",
    "/authorizations/cookie/jupyterhub-hub-login",
    "/oauth2/token",
    "/info",
    "/health",
    "/metrics",
    "/",
    "/nothing",
    "/users/",
    "/users/nemo/",
    "/user/",
)
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def _walk(path: str, who: str) -> Case:
    methods = [method for method in _METHODS if (method, path) not in _NOT_HERE]
    return case(f"every method, {path} as {who}", *(Ask(method, path, who) for method in methods))


#: What would make something that later cases see: asked elsewhere.
_NOT_HERE = {
    ("POST", "/users/nemo"),
    ("POST", "/users/nemo/"),
    ("POST", "/groups/nobodies"),
    ("POST", "/services/nothing"),
}
CASES = tuple(_walk(path, who) for path in _PATHS for who in ("admin", "ada's nothing", "nobody"))
