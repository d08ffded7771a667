"""Names of users and servers, and the paths made of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from urllib.parse import quote

from carrel.domain.errors import Invalid
from carrel.lib.ids import digest

_SERVER_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
#: What `escape` leaves as it is.
_PLAIN = re.compile(r"[A-Za-z0-9_.~@-]*")
_MAX_USER_NAME = 255
_MAX_SERVER_NAME = 30
_SHOWN = 80
_MAX_DISPLAY_NAME = 255
#: Of Unicode's categories: letters, marks, numbers, punctuation and symbols; no spaces, nothing unprintable.
_PRINTED = frozenset("LMNPS")


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
    """Return `name` when it may name a new named server (JupyterHub 6's rule); raise Invalid otherwise.

    Servers that have another name already keep it.
    """
    if len(name) > _MAX_SERVER_NAME or not _SERVER_NAME.fullmatch(name):
        raise Invalid(
            f"Invalid server_name: {shortened(name)!r}. It has 1 to 30 characters: lower-case letters, "
            "digits and single hyphens; it starts with a letter and ends with a letter or digit."
        )
    return name


def server_slug(name: str, taken: Collection[str]) -> str:
    """Return a name for a new server that is like `name`, whatever that is, and none of `taken`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not slug[:1].isalpha():
        slug = f"server-{slug}".rstrip("-")
    slug = slug[:_MAX_SERVER_NAME].rstrip("-")
    short, number = slug[: _MAX_SERVER_NAME - 9].rstrip("-"), 0
    while slug in taken:
        slug, number = f"{short}-{digest(f'{number} {name}')[:8]}", number + 1
    return slug


def check_display_name(name: str) -> str:
    """Return what a server is called on pages, in Unicode's form C (JupyterHub 6's rule); raise Invalid.

    It is free text; one that began with spaces or had invisible characters could pass for another.
    """
    name = unicodedata.normalize("NFC", name)
    spaced = name != name.strip(" ") or "  " in name
    printed = all(each == " " or unicodedata.category(each)[0] in _PRINTED for each in name)
    if not 1 <= len(name) <= _MAX_DISPLAY_NAME or spaced or not printed:
        raise Invalid(
            f"Invalid display_name: {shortened(name)!r}. It has 1 to {_MAX_DISPLAY_NAME} printable "
            "characters and single spaces, none at its ends."
        )
    return name


def shortened(name: str) -> str:
    """Return a name fit for a message: what somebody sent may be of any length, an answer is not."""
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "…"


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


def progress_path(base_url: str, user_name: str, server_name: str = "") -> str:
    """Return where the API tells how far a server's start is."""
    server = f"servers/{escape(server_name)}" if server_name else "server"
    return f"{base_url}hub/api/users/{escape(user_name)}/{server}/progress"


def full_name(user_name: str, server_name: str) -> str:
    """Return `user/server`, as scopes and the API name a server."""
    return f"{user_name}/{server_name}"


def server_label(user_name: str, server_name: str = "") -> str:
    """Return what messages call a server, as JupyterHub's do: `ada`, or `ada:gpu`."""
    return f"{user_name}:{server_name}" if server_name else user_name


def client_id(user_name: str, server_name: str = "") -> str:
    """Return the OAuth client id of a server, which is also its cookie's name; no two servers have the same.

    Of a default server it is JupyterHub's. For a named one JupyterHub joins the names with a hyphen, so that
    ada's server "gpu" and the server of "ada-gpu" have one id: whichever starts last takes the other's
    visitors. An exclamation mark is in no quoted name, and may be in a cookie's. Servers read their id from
    JUPYTERHUB_CLIENT_ID and take it as it is.
    """
    tail = f"!{quote(server_name, safe='')}" if server_name else ""
    return f"jupyterhub-user-{quote(user_name, safe='')}{tail}"
