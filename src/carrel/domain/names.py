"""Names of users and servers, and the paths made of them."""

from __future__ import annotations

import re
from urllib.parse import quote

from carrel.domain.errors import Invalid

_SERVER_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
#: What `escape` leaves as it is.
_PLAIN = re.compile(r"[A-Za-z0-9_.~@-]*")
_MAX_USER_NAME = 255
_MAX_SERVER_NAME = 30


def check_user_name(name: str) -> str:
    """Return `name` when it may name a user; raise Invalid otherwise.

    A slash would make it two path segments, a control character could forge a header or a log line.
    """
    if not name or len(name) > _MAX_USER_NAME:
        raise Invalid(f"A user name has 1 to {_MAX_USER_NAME} characters.")
    if name != name.strip() or name in {".", ".."} or "/" in name or "\\" in name:
        raise Invalid("A user name has no slashes and no space at its ends.")
    if any(not character.isprintable() for character in name):
        raise Invalid("A user name has only printable characters.")
    return name


def check_server_name(name: str) -> str:
    """Return `name` when it may name a named server (JupyterHub 6's rule); raise Invalid otherwise."""
    if len(name) > _MAX_SERVER_NAME or not _SERVER_NAME.fullmatch(name):
        raise Invalid(
            "A server name has 1 to 30 characters: lower-case letters, digits and single hyphens; "
            "it starts with a letter and ends with a letter or digit."
        )
    return name


def escape(name: str) -> str:
    """Return `name` as one URL path segment, escaped as JupyterHub does (`@` and `~` stay)."""
    # A page of servers has many names, and quoting what needs none takes ten times as long.
    return name if _PLAIN.fullmatch(name) else quote(name, safe="@~")


def servers_prefix(base_url: str) -> str:
    """Return the path below which every user's servers answer, with a slash at both ends."""
    return f"{base_url}user/"


def server_prefix(base_url: str, user_name: str, server_name: str = "") -> str:
    """Return the path below which a server answers, with a slash at both ends."""
    tail = f"{escape(server_name)}/" if server_name else ""
    return f"{servers_prefix(base_url)}{escape(user_name)}/{tail}"


def full_name(user_name: str, server_name: str) -> str:
    """Return `user/server`, as scopes and the API name a server."""
    return f"{user_name}/{server_name}"


def client_id(user_name: str, server_name: str = "") -> str:
    """Return the OAuth client id of a server, which is also its cookie's name."""
    tail = f"-{quote(server_name, safe='')}" if server_name else ""
    return f"jupyterhub-user-{quote(user_name, safe='')}{tail}"
