"""A user's own packages, below their home directory."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Collection

_CUSTOM = ("usercustomize", "sitecustomize")


def add_user_site(*, allowed: bool, loaded: Collection[str]) -> str:
    """Put the user's own packages where Python would have put them; call it with the user's rights and HOME.

    Returns why that is not the same as a start from the beginning: they hide something that is `loaded`, or
    have code that runs at the start. Empty when it is.
    """
    site.USER_BASE = site.USER_SITE = None
    place = site.getusersitepackages()
    site.ENABLE_USER_SITE = bool(allowed and site.check_enableusersite())
    if not site.ENABLE_USER_SITE or not os.path.isdir(place):
        return ""
    top = {name.partition(".")[0] for name in loaded}
    for name in sorted(os.listdir(place)):
        base = name.partition("-")[0].partition(".")[0]
        if base in top or base in _CUSTOM or name.endswith(".pth"):
            return f"{name} in {place} has to be there when Python starts"
    system = [index for index, entry in enumerate(sys.path) if entry in site.getsitepackages()]
    # An environment of its own comes before the user's packages, those of the system after them.
    first = system[0] if system else len(sys.path)
    sys.path.insert(first + (sys.prefix != sys.base_prefix), place)
    return ""
