"""THE table of differences: what Carrel answers otherwise than JupyterHub 6.1, and why.

    python -m tests.compat.beside.page > docs/differences.md

A difference that no row allows fails the comparison, and so does a row that allows nothing any more.
"""

from __future__ import annotations

from tests.compat.beside.asking import Ask, Case
from tests.compat.beside.difference import ANYTHING, Difference
from tests.compat.beside.server_differences import OF_SERVERS

ROWS: tuple[Difference, ...] = (
    *OF_SERVERS,
    Difference(
        "Every reply has `Referrer-Policy`, `X-Content-Type-Options` and `X-Request-Id`; none has `Server`",
        "They protect, and lead to the line in the log; which software answers is nobody's business.",
        "header.referrer-policy | header.x-content-type-options | header.x-request-id | header.server",
    ),
    Difference(
        "There is no `ETag`",
        "JupyterHub hashes the answer after it has made it, which saves no work.",
        "header.etag",
    ),
    Difference("A 405 has `Allow`", "RFC 9110, section 15.5.6.", "header.allow"),
    Difference(
        "An empty reply to `OPTIONS` has no `Content-Type`",
        "There is nothing that could have a type.",
        "header.content-type",
        "OPTIONS *",
    ),
    Difference(
        "`HEAD` is answered like `GET`, without the body; JupyterHub answers 405",
        "RFC 9110, section 9.1: every server supports both.",
        ANYTHING,
        "HEAD *",
    ),
    Difference(
        "`/info` names Carrel's classes, and its version beside JupyterHub's",
        "They are what runs.",
        "json.authenticator.* | json.carrel | json.python | json.sys_executable",
        "GET /info",
    ),
    Difference(
        "Cookies have `SameSite=Lax`; `_xsrf` comes with pages alone and goes with the browser;"
        " a session's id comes with the log-in",
        "A cookie that nobody needs is one more to lose.",
        "cookie.*",
    ),
    Difference(
        "A cookie alone does not read the API: it takes the XSRF token, or the browser's word for a visit",
        "JupyterHub asks for it only where the browser says that a script sent the request.",
        ANYTHING,
        "GET *",
        who="ada's cookie",
    ),
    Difference(
        "A cookie that lacks its XSRF token is nobody's",
        "Other sites' scripts are not told whether the cookie was good.",
        "status | json.message | json.status",
        who="ada's cookie | ada's page",
    ),
    Difference(
        "A bad token beside a good cookie is nobody's",
        "Who means to be a program with few rights must not get all those of a person.",
        ANYTHING,
        cases="a bad token beside a good cookie",
    ),
    Difference(
        "`auth` in the body counts beside a cookie that lacks its XSRF token",
        "The password is proof enough, and the cookie adds nothing.",
        ANYTHING,
        "POST /users/ada/tokens",
        "log in by the body beside a token",
        "ada's cookie",
    ),
    Difference(
        "`/user` names the session of a cookie, too",
        "It is the one that log-out ends.",
        "json.session_id",
        "GET /user",
        who="ada's page | *'s visit",
    ),
    Difference(
        "A body of the wrong shape is refused in Carrel's words, which name the field and its type",
        "JupyterHub names classes of Python, or ends with 500.",
        "json.message",
        "POST * | PATCH * | PUT * | DELETE *",
        "make users: * | names that are no texts | make admins | change a user: * | change a user who*"
        " | make a token: * | make a service: a * | make a service: an unknown key"
        " | make a service: bad UTF-8 | a server, refused* | a server, changed*"
        " | a server, named, with odd bodies | a server, reported active | another proxy, refused"
        " | a server, of a user reported active | shut down, refused | groups | every method*"
        " | shares, a body: * | a body, *",
    ),
    Difference(
        "A body in which a field stands twice is refused",
        "Two readers could take it for different things.",
        ANYTHING,
        cases="a body, the same field twice",
    ),
    Difference(
        "A body whose header says that it is compressed is refused with 415",
        "JupyterHub does not look, and calls it bad JSON when it is.",
        ANYTHING,
        cases="a body, compressed by its header",
    ),
    Difference(
        "What JupyterHub takes for something else is refused: a list or text in the place of an object, a"
        " text for a list of its letters, bytes that are no UTF-8, `true` for 1, a number as note, a date"
        " in words",
        "They are mistakes, and what comes of them surprises.",
        ANYTHING,
        cases="names of bad UTF-8 | names that are no texts | make admins"
        " | make a token: a number for the note"
        " | make a token: true for the expiry | make a token: a list | a server, of a user reported active"
        " | a user's name with bad UTF-8",
    ),
    Difference(
        "A request that is wrong in two ways may be answered for the other one",
        "Carrel reads the body before it looks into the database.",
        "status | json.status | json.message",
        "PATCH /users/nemo | POST /users/nemo/activity | POST /groups/nobodies/users"
        " | DELETE /groups/nobodies/users | PUT /groups/nobodies/properties | POST /services/board",
    ),
    Difference(
        "It is said why a service cannot be made",
        "JupyterHub says that it failed.",
        "json.message",
        "POST /services/*",
        "make a service: a scheme* | make a service: a client* | make a service: no redirect"
        " | services' names that are none",
    ),
    Difference(
        "A token makes no service that may do more than the token, though its owner may",
        "Its holder would get what the token was kept from.",
        ANYTHING,
        "* /services/made",
        "make services with few rights",
        "service maker",
    ),
    Difference(
        "Names of services are escaped in their `prefix`",
        "It is a path of the URL.",
        "json.prefix",
        "* /services/*",
        "services' names",
    ),
    Difference(
        "What is left out of a service's definition is its default, wherever the service is shown",
        "JupyterHub's `/user` says null.",
        "json.info | json.url | json.display",
        "GET /user | GET /authorizations/token/*",
        who="boss | admin",
    ),
    Difference(
        "A slash at the end of a path changes nothing; JupyterHub finds nothing there, or an empty name",
        "It is the same thing to whoever typed it.",
        ANYTHING,
        "* /users/ | * /user/ | * /users/nemo/ | * /users/nemo/tokens/",
    ),
    Difference(
        "A name in the path with a slash leads nowhere, for no user may have it",
        "Proxies read `%2F` as a slash.",
        ANYTHING,
        "* /users/a%2Fb*",
    ),
    Difference(
        "A user made by `POST /users/NAME` gets the name as log-in would write it, in small letters",
        "JupyterHub makes a user who can never log in.",
        ANYTHING,
        cases="a name in capitals",
    ),
    Difference(
        "Changing a user's name to the one that it is changes nothing",
        "JupyterHub takes the name away.",
        ANYTHING,
        cases="change a user: the same name",
    ),
    Difference(
        "A token that may do less than an admin makes no admins, though its owner is one",
        "Its holder would get what the token was kept from.",
        ANYTHING,
        "* /users/changer",
        "change a user: as who may make users",
    ),
    Difference(
        "Nobody loses the role `user`",
        "What it gives is what every user may do.",
        "json.roles",
        cases="change a user: no roles",
    ),
    Difference(
        "`name_filter` looks for its text as it is",
        "JupyterHub lets `_` and `%` stand for anything, and `_` is common in names.",
        "json*",
        "GET /users[?]name_filter=*",
        "filters by name",
    ),
    Difference(
        "`state` is what was stored last, and `user_options` always an object",
        "JupyterHub asks an object in its memory, which a restart forgets.",
        "json*.state | json*.state.* | json*.user_options",
    ),
    Difference(
        "A start that failed is no activity of the server",
        "Nobody could use it.",
        "json.last_activity",
        "* /users/*/server*",
        "a server, that fails | a server, named, failing | a server, named, slow to start",
    ),
    Difference(
        "Errors of `/metrics` are JSON with the API's headers",
        "It is below the API's address.",
        "body | json* | header.*",
        "* /metrics",
    ),
    Difference(
        "`/metrics` has `recently_active_users`",
        "It is what `active_user_window` says, which JupyterHub reads and shows to nobody.",
        "metric.jupyterhub_recently_active_users",
    ),
    Difference(
        "`/metrics` tells of warm starts",
        "Who wonders why a start was slow finds it there.",
        "metric.jupyterhub_warm_*",
    ),
    Difference(
        "`/metrics` refuses other methods as the rest of the API does",
        "It is a page of JupyterHub's, with a form's rules.",
        "status",
        "POST /metrics | PUT /metrics | PATCH /metrics | DELETE /metrics | OPTIONS /metrics | TRACE /metrics",
        "every method, /metrics *",
    ),
    Difference(
        "`/health` refuses other methods as the rest of the API does",
        "It is a page of JupyterHub's, with a form's rules.",
        ANYTHING,
        "* /health",
        "every method, /health *",
    ),
    Difference(
        "A method that nobody supports is 404 where there is nothing",
        "There is nothing that could support it.",
        "status | json.status",
        "TRACE *",
        "every method, /users/nemo/nothing * | every method, /nothing *"
        " | every method, /users/nemo/servers *",
    ),
    Difference(
        "What there is to change about shares is a server's: without one it is 405, whoever asks",
        "It says nothing about what there is.",
        "status | json.status",
        "* /shares/nemo | * /share-codes/nemo",
    ),
    Difference(
        "What is shared comes with all that it brings along, and to the tokens of a group's members, too",
        "A token may do what its owner may; in JupyterHub pages and tokens of one person differ here.",
        "json.scopes",
        "GET /user",
        "shares, given and taken | shares, a group's, in its members' tokens",
    ),
    Difference(
        "A share gives at most what the server's owner has by roles, whoever made it",
        "An owner who loses a right has not got it to share; others' rights are for roles to give.",
        "json.scopes",
        "GET /user",
        "shares, what the owner has not got",
    ),
    Difference(
        "A scope that is taken back may be named without its filter, and with a foreign one is refused",
        "JupyterHub takes nothing then, and does not say so.",
        "status | json*",
        "PATCH /shares/sharer/",
        "shares, a scope without its filter, taken",
    ),
    Difference(
        "`GET /authorizations/token` without a token in the path is 405, whoever asks",
        "It was only ever there for `POST`.",
        "status | json.status",
        "GET /authorizations/token",
    ),
    Difference(
        "Why a start failed is said in the answer",
        "JupyterHub says `Internal Server Error`.",
        "json.message | event.message | event.html_message | json*.failure.* | event.failure.*",
        cases="a server, that fails | a server, named, failing",
    ),
    Difference(
        "Asking for the progress of a server at rest is 400",
        "JupyterHub knows the server or not, as its memory has it.",
        "status | json.status | json.message",
        "GET /users/*/server/progress",
        "a server, from start to stop",
    ),
    Difference(
        "Reports of broken page policies need no XSRF token",
        "Browsers send none with them.",
        "status | body",
        "POST /hub/security/csp-report",
        who="ada's cookie",
    ),
    Difference(
        "Progress streams have `X-Accel-Buffering: no`",
        "nginx holds the steps back otherwise.",
        "header.x-accel-buffering",
    ),
    Difference(
        "An unknown scope is refused with the nearest one that there is",
        "It is most often a typing error.",
        "json.message",
        "POST /users/ada/tokens",
        "make a token: an unknown scope | make a token: an unknown filter",
    ),
    Difference(
        "Pages have a policy of their own, are never stored and name their charset; CORS is for the API",
        "They are other pages.",
        "header.content-security-policy | header.cache-control | header.content-type | header.access-*",
        "* /hub* | * /health | POST /oauth2/token",
    ),
    Difference(
        "The logo and other files are Carrel's, and every reply names the version",
        "They look different.",
        "body | status | header.accept-ranges | header.last-modified | header.x-jupyterhub-version",
        "GET /hub/logo | GET /hub/static/*",
    ),
    Difference(
        "`/hub` leads to `/hub/` with 302, and from there to the log-in without `next`",
        "Browsers never forget a 301; after log-in people come to their server anyway.",
        "status | header.location",
        "GET /hub | GET /hub/",
    ),
    Difference(
        "`/hub/user-redirect` leads straight to the server, and works without its slash",
        "What is there offers the start, and one redirect less cannot loop.",
        "status | header.location | body",
        "GET /hub/user-redirect*",
    ),
    Difference(
        "Programs that ask for a server without a route are answered 424 whoever they are",
        "They follow no redirect to a log-in page.",
        ANYTHING,
        "GET /hub/user/ada/api/contents",
    ),
    Difference(
        "`/hub/error/CODE` is answered with that status",
        "Proxies other than configurable-http-proxy pass it on.",
        "status",
        "GET /hub/error/*",
    ),
    Difference(
        "After log-in `next` leads to what is below the hub's `base_url` alone, not to the rest of the host",
        "The rest is another application, maybe other people's.",
        "header.location",
        "GET /hub/login?next=%2Fhub%2Fhome",
        who="ada's visit",
    ),
    Difference(
        "Who agrees to a client's wishes after their log-in has ended is sent to log in",
        "They come back to the same question.",
        "status | body | header.location",
        "POST /hub/api/oauth2/authorize*",
        who="nobody",
    ),
    Difference(
        "A form without its token is shown again",
        "It was most often left open for too long.",
        "status | body | header.location",
        "POST /hub/logout | POST /hub/spawn",
    ),
)


def matching(case: Case, ask: Ask, aspect: str) -> list[Difference]:
    """Return the rows that allow a difference."""
    return [row for row in ROWS if row.allows(case, ask, aspect)]
