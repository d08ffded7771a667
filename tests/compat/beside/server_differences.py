"""The rows of the table of differences that are about servers made, changed and removed."""

from __future__ import annotations

from tests.compat.beside.difference import ANYTHING, Difference

OF_SERVERS: tuple[Difference, ...] = (
    Difference(
        "A name that a server cannot have is refused with the rule",
        "Whoever typed it wants to know what would do.",
        "json.message",
        "POST * | PUT * | PATCH *",
        "a server, with the bad name * | a server, called * | a server, changed by a bad name",
    ),
    Difference(
        "What a server is called is kept in Unicode's composed form",
        "The same letters are then the same text; JupyterHub checks that form and keeps the other.",
        "json*.display_name",
        cases="a server, called an accent in two parts",
    ),
    Difference(
        "Replies to `PATCH` of a server name no charset",
        "JSON has none (RFC 8259).",
        "header.content-type",
        "PATCH /users/*/server*",
    ),
    Difference(
        "Options that were changed are shown by the next request, too",
        "JupyterHub asks an object in its memory.",
        "json.user_options.*",
        "GET /users/*/server*",
        "a server, changed by * | a server, the default one, before it ever ran",
    ),
    Difference(
        "A request changes all that it names or nothing",
        "JupyterHub renames the server and then refuses the options.",
        ANYTHING,
        "GET *",
        "a server, changed by a good name and bad options",
    ),
    Difference(
        "Giving a server another name takes the right to start a server of that name",
        "Else a token for one server could take the place of another.",
        ANYTHING,
        "PATCH *",
        "a server, with a scope for one",
        "lab alone",
    ),
    Difference(
        "A default server is there, whatever became of the one before",
        "JupyterHub answers 404 for one that was renamed, until somebody starts it.",
        ANYTHING,
        "GET /users/*/server",
        "a server, changed at rest",
    ),
    Difference(
        "A user is removed with all of their servers",
        "JupyterHub ends with 500 when there are named ones, and keeps the user.",
        ANYTHING,
        "DELETE /users/srv-*",
        "a server, *",
    ),
    Difference(
        "The page of a server that does not run is 424 wherever it is shown",
        "JupyterHub answers 200 where its start would have been watched.",
        "status",
        "GET /hub/spawn-pending/*",
        "a server, on pages",
    ),
    Difference(
        "The way to a start leads on to the server, and keeps no options",
        "They have been taken; a second start would be another one.",
        "status | header.location",
        "GET /hub/spawn/* | GET /hub/user/*",
        "a server, on pages",
    ),
)
