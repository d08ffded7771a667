"""THE table of differences: what Carrel answers otherwise than JupyterHub 6.1, and why.

    python -m tests.compat.beside.differences > docs/differences.md

A difference that no row allows fails the comparison, and so does a row that allows nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from tests.compat.beside.asking import Ask, Case


@dataclass(frozen=True, slots=True)
class Difference:
    """One row; patterns are those of file names, several in a line are separated by ` | `."""

    what: str
    why: str
    aspects: str
    """Which aspects of a reply may differ."""
    asks: str = "*"
    """Which requests it concerns, as `METHOD PATH`."""
    cases: str = "*"
    who: str = "*"

    def allows(self, case: Case, ask: Ask, aspect: str) -> bool:
        """Tell whether this row allows that an aspect of a reply differs."""
        return (
            _fits(self.aspects, aspect)
            and _fits(self.asks, ask.label)
            and _fits(self.cases, case.name)
            and _fits(self.who, ask.who)
        )


@cache
def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(" | "))


def _fits(patterns: str, text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in _patterns(patterns))


def matching(case: Case, ask: Ask, aspect: str) -> list[Difference]:
    """Return the rows that allow a difference."""
    return [row for row in (*NOT_YET, *ON_PURPOSE) if row.allows(case, ask, aspect)]


_ANYTHING = "status | body | json* | header.* | cookie.* | event*"
_API = "GET /[!h]* | POST /[!h]* | PUT /[!h]* | PATCH /[!h]* | DELETE /[!h]* | TRACE /[!h]*"

#: JupyterHub has it, Carrel will: rows go when the endpoints come.
NOT_YET: tuple[Difference, ...] = (
    Difference("Groups: `/groups` and all below", "", _ANYTHING, "* /groups*"),
    Difference("Services: `/services` and all below", "", _ANYTHING, "* /services*"),
    Difference(
        "Shares: `/shares`, `/share-codes`, `/users/NAME/shared`, `/groups/NAME/shared`, `/hub/accept-share`",
        "",
        _ANYTHING,
        "* /shares* | * /share-codes* | * /users/*/shared* | GET /hub/accept-share*",
    ),
    Difference(
        "Named servers: `/users/NAME/servers/SERVER` and its progress", "", _ANYTHING, "* /users/*/servers*"
    ),
    Difference(
        "Changing a server that is at rest: `PUT` and `PATCH` of `/users/NAME/server`",
        "",
        _ANYTHING,
        "PUT /users/*/server | PATCH /users/*/server",
    ),
    Difference(
        "`groups`, `roles` and `auth_state` in `PATCH /users/NAME`",
        "",
        "status | json.*",
        "* /users/changer",
        "change a user: *groups | change a user: *roles | change a user: *auth_state",
    ),
    Difference("Metrics: `/metrics` and `/hub/metrics`", "", _ANYTHING, "* /metrics | * /hub/metrics"),
    Difference("Moving the proxy: `PATCH /proxy`", "", _ANYTHING, "PATCH /proxy"),
    Difference(
        "Reports of broken page policies: `/hub/security/csp-report`",
        "",
        _ANYTHING,
        "* /hub/security/csp-report",
    ),
    Difference(
        "Pages for tokens and administration",
        "",
        _ANYTHING,
        "GET /hub/token | GET /hub/admin",
    ),
)

#: What stays as it is.
ON_PURPOSE: tuple[Difference, ...] = (
    Difference(
        "Every reply has `Referrer-Policy`, `X-Content-Type-Options` and `X-Request-Id`, and none has `Server`",
        "They protect pages, and name the line in the log; which software answers is nobody's business.",
        "header.referrer-policy | header.x-content-type-options | header.x-request-id | header.server",
    ),
    Difference(
        "There is no `ETag`",
        "JupyterHub hashes the whole answer after it has made it, which saves no work.",
        "header.etag",
    ),
    Difference(
        "A 405 has `Allow`",
        "RFC 9110, section 15.5.6.",
        "header.allow",
    ),
    Difference(
        "An empty reply to `OPTIONS` has no `Content-Type`",
        "There is nothing that could have a type.",
        "header.content-type",
        "OPTIONS *",
    ),
    Difference(
        "`HEAD` is answered like `GET`, without the body; JupyterHub answers 405",
        "RFC 9110, section 9.1: every server supports both.",
        _ANYTHING,
        "HEAD *",
    ),
    Difference(
        "`/info` names Carrel's classes and its version beside JupyterHub's",
        "They are what runs.",
        "json.authenticator.* | json.carrel | json.python | json.sys_executable",
        "GET /info",
    ),
    Difference(
        "Pages have Carrel's Content-Security-Policy, are never stored, name their charset, and carry no CORS headers",
        "They are other pages.",
        "header.content-security-policy | header.cache-control | header.content-type | header.access-control-*",
        "* /hub* | * /health | * /oauth2/token*",
    ),
    Difference(
        "A cookie alone does not read the API: the XSRF token, or the browser's word that a person came, is needed",
        "JupyterHub asks for it only where the browser says that a script sent the request.",
        _ANYTHING,
        "GET *",
        who="ada's cookie",
    ),
    Difference(
        "A cookie without XSRF token is answered as nobody",
        "Whether a stranger's page carries a good cookie is not told.",
        "status | json.message | json.status",
        who="ada's cookie | ada's page",
    ),
    Difference(
        "A body of the wrong shape is refused in Carrel's words, which name the field and its type",
        "JupyterHub names classes of Python, or ends with 500.",
        "json.message",
        "POST * | PATCH * | PUT * | DELETE *",
        "make users: * | names that are no texts | make admins | change a user: * | make a token: * | a server, refused*"
        " | a server, reported active | a server, of a user reported active | shut down, refused | change a user who*"
        " | every method*",
    ),
    Difference(
        "Bodies that JupyterHub takes for something else are refused with 400: a list or text where an object belongs,"
        " a text as list of its letters, bytes that are no UTF-8, a truth value or text as number",
        "They are mistakes, and what comes of them surprises.",
        _ANYTHING,
        cases="names of bad UTF-8 | names that are no texts | make admins | make a token: a number for the note"
        " | make a token: true for the expiry | make a token: a list | make a token: a huge expiry"
        " | a server, of a user reported active | a server, refused*",
    ),
    Difference(
        "A request that is wrong in two ways may be answered for the other one",
        "Carrel reads the body before it looks into the database.",
        "status | json.status | json.message",
        "PATCH /users/nemo | POST /users/nemo/activity | * /users/nemo/tokens*",
    ),
)


def page() -> str:
    """Return the table as the page of the documentation."""
    lines = [
        "# Where Carrel's API differs from JupyterHub's",
        "",
        "A test sends the same requests to JupyterHub 6.1 and to Carrel and compares status, JSON, redirects, cookies",
        "and headers. What differs stands here. Where JupyterHub answers 500, Carrel answers what is right.",
        "",
        "## On purpose",
        "| what | why |",
        "|---|---|",
        *(f"| {row.what} | {row.why} |" for row in ON_PURPOSE),
        "",
        "## Not there yet",
        *(f"- {row.what}" for row in NOT_YET),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
