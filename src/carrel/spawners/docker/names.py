"""Names of containers and volumes, made of names of people.

What dockerspawner 12 and later makes of a name is made here too: volumes are found again by it.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable
from typing import Any

from carrel.spawners.errors import StartError

_SAFE = frozenset(string.ascii_lowercase + string.digits)
_SAFE_OF_OLD = frozenset(string.ascii_letters + string.digits + "-")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
LONGEST_SERVICE = 63
"""Of a swarm, whose names are host names."""


def escape(text: str) -> str:
    """Return `text` with all but small letters and digits as `-xx`; no two texts become the same."""
    return "".join(c if c in _SAFE else "".join(f"-{byte:02x}" for byte in c.encode()) for c in text)


def escape_as_of_old(text: str) -> str:
    """Return `text` as dockerspawner wrote it before version 12: two texts may become the same."""
    return "".join(c if c in _SAFE_OF_OLD else "".join(f"_{byte:02X}" for byte in c.encode()) for c in text)


def escaping(rule: Any) -> Callable[[str], str]:
    """Return what `DockerSpawner.escape` asks for: a callable, `legacy`, or by default `escape`."""
    if callable(rule):
        return lambda text: str(rule(text))
    if rule == "legacy":
        return escape_as_of_old
    if rule is None:
        return escape
    raise StartError(f"c.DockerSpawner.escape is {rule!r}, which is neither a callable nor 'legacy'.")


def image_slug(image: str) -> str:
    """Return an image's name as it may stand in names."""
    return re.sub(r"[/:@]", "-", image)


def check_name(name: str) -> str:
    """Return a container's name; raises StartError for one that the engine would not take."""
    if not _NAME.fullmatch(name):
        raise StartError(
            f"A container cannot be called {name[:200]!r}.",
            hint="The administrator has to correct c.DockerSpawner.name_template or prefix: letters, digits,"
            " and after the first also - _ and dots.",
        )
    return name


def service_name(name: str) -> str:
    """Return a name of a swarm's service: cut, with a hash of the whole, when it is too long."""
    if len(name) <= LONGEST_SERVICE:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: LONGEST_SERVICE - len(mark) - 1].rstrip('-_.')}-{mark}"
