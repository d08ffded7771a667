"""The endpoints of JupyterHub 6.1's REST API, with their methods: clients written for it call no others."""

from __future__ import annotations

JUPYTERHUB: dict[str, str] = {
    "/": "GET",
    "/info": "GET",
    "/health": "GET",
    "/metrics": "GET",
    "/user": "GET",
    "/users": "GET POST",
    "/users/{name}": "GET POST PATCH DELETE",
    "/users/{name}/activity": "POST",
    "/users/{name}/server": "GET POST PATCH DELETE",
    "/users/{name}/server/progress": "GET",
    "/users/{name}/servers/{server}": "GET POST PUT PATCH DELETE",
    "/users/{name}/servers/{server}/progress": "GET",
    "/users/{name}/tokens": "GET POST",
    "/users/{name}/tokens/{token}": "GET DELETE",
    "/users/{name}/admin-access": "POST",
    "/users/{name}/shared": "GET",
    "/users/{name}/shared/{owner}/{server}": "GET DELETE",
    "/groups": "GET POST",
    "/groups/{group}": "GET POST DELETE",
    "/groups/{group}/users": "POST DELETE",
    "/groups/{group}/properties": "PUT",
    "/groups/{group}/shared": "GET",
    "/groups/{group}/shared/{owner}/{server}": "GET DELETE",
    "/shares/{owner}": "GET",
    "/shares/{owner}/{server}": "GET POST PATCH DELETE",
    "/share-codes/{owner}": "GET",
    "/share-codes/{owner}/{server}": "GET POST DELETE",
    "/services": "GET",
    "/services/{service}": "GET POST DELETE",
    "/proxy": "GET POST PATCH",
    "/shutdown": "POST",
    "/oauth2/authorize": "GET POST",
    "/oauth2/token": "POST",
    "/authorizations/token": "POST",
    "/authorizations/token/{token}": "GET POST",
    "/authorizations/cookie/{name}": "GET",
    "/authorizations/cookie/{name}/{value}": "GET",
}

#: Those that are not there yet; an entry that is there has to go.
MISSING: dict[str, str] = {
    "/proxy": "PATCH",
}
