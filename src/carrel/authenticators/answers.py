"""What `authenticate` may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What authenticators hand on about somebody: name, admin, auth_state, groups, user_info.
AuthModel = dict[str, Any]


def read_answer(answer: Any) -> AuthModel | None:
    """Return what authenticate answered as a new dict with all keys; raise TypeError for anything odd."""
    if not answer:
        return None
    if isinstance(answer, str):
        answer = {"name": answer}
    if not isinstance(answer, Mapping):
        raise TypeError(f"authenticate() returned {type(answer).__name__}; a name, a dict or None is right")
    if not isinstance(answer.get("name"), str):
        raise TypeError("authenticate() returned a dict without a name")
    return {"auth_state": None, "user_info": None, "admin": None, **answer}
