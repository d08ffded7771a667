"""One log-in attempt: from what a form sent to an Identity, or to a reason that can be shown.

Whatever a plug-in does (raises, hangs, answers nonsense) ends as a Refusal. Slowing down repeated failures by
name and address belongs around `check_login`, where both are known.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Mapping
from typing import Any

from carrel.authenticators.base import Authenticator, Exists
from carrel.authenticators.policy import Refusal, refuse_credentials, show
from carrel.domain.errors import CarrelError, Unavailable
from carrel.domain.identity import Identity
from carrel.domain.names import check_user_name
from carrel.lib.awaiting import resolve

__all__ = ["Refusal", "check_login", "own_words", "read_model"]

_BROKEN_PAGE = "Logging in does not work at the moment. Please ask whoever runs this hub to look at its log."
_SLOW_PAGE = "Checking your name and password took too long. Please try again."
_PUBLIC_FIELDS = frozenset({"username", "next", "_xsrf"})


async def check_login(
    authenticator: Authenticator,
    handler: Any,
    data: Mapping[str, Any] | None,
    *,
    exists: Exists | None = None,
    seconds: float = 30.0,
) -> Identity | Refusal:
    """Return who has logged in, or why not; raises nothing but cancellation.

    `handler` is the request as plug-ins know it, or None; `data` is what a form sent, or None where people
    prove who they are in another way. `exists(name)` tells whether the hub has such a
    user; it is asked with the name that the authenticator found, not with what was typed. The answer comes
    within `seconds`. The caller logs `reason_for_log`; nothing in a Refusal repeats a password.
    """
    sent = data or {}
    try:
        async with asyncio.timeout(seconds):
            outcome = await _ask(authenticator, handler, data, exists)
        return outcome if isinstance(outcome, Refusal) else read_model(authenticator, outcome)
    except TimeoutError as error:
        who = show(sent.get("username", ""))
        return Refusal(_SLOW_PAGE, f"checking {who} did not end within {seconds:g} s", 503, error)
    except Unavailable as error:
        return Refusal(str(error), str(error), 503, error)
    except CarrelError as error:
        return Refusal(_hide(str(error), sent), show(_hide(str(error), sent)), cause=error)
    except Exception as error:
        return _explain(authenticator, error, sent)


async def _ask(
    authenticator: Authenticator, handler: Any, data: Mapping[str, Any] | None, exists: Exists | None
) -> dict[str, Any] | Refusal:
    overridden = type(authenticator).get_authenticated_user is not Authenticator.get_authenticated_user
    if not overridden:
        return await authenticator.examine(handler, data, exists)
    model = await resolve(authenticator.get_authenticated_user(handler, data))
    return dict(model) if model else refuse_credentials(str((data or {}).get("username", "")))


def read_model(authenticator: Authenticator, model: Mapping[str, Any]) -> Identity:
    """Return what an authenticator's answer says; raise ValueError and Invalid for one that cannot be."""
    kind = type(authenticator).__name__
    if authenticator.manage_groups and "groups" not in model:
        raise ValueError(f"{kind}.manage_groups is on, but the authenticator names no groups")
    groups = model["groups"] if authenticator.manage_groups else None
    roles = model.get("roles") if authenticator.manage_roles else None
    admin = model.get("admin")
    return Identity(
        name=check_user_name(model["name"]),
        admin=None if admin is None else bool(admin),
        groups=None if groups is None else tuple(groups),
        roles=None if roles is None else tuple(roles),
        user_info=model.get("user_info"),
        auth_state=model.get("auth_state"),
    )


def _explain(authenticator: Authenticator, error: Exception, data: Mapping[str, Any]) -> Refusal:
    """Return the refusal for an exception of a plug-in.

    One with a `status_code` is its way to say no in its own words, as Tornado's HTTPError does.
    """
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        said = _hide(own_words(error), data)
        why = show(f"refused with {status}: {said}")
        return Refusal(said or "Invalid username or password", why, status, error)
    kind = type(error).__name__
    trace = "".join(traceback.format_exception(error))
    authenticator.log.error("%s failed:\n%s", type(authenticator).__name__, _hide(trace, data))
    why = show(_hide(f"{type(authenticator).__name__} failed with {kind}: {error}", data))
    return Refusal(_BROKEN_PAGE, why, 500, error)


def own_words(error: BaseException) -> str:
    """Return what an exception like Tornado's HTTPError tells people; empty when it says nothing."""
    read = getattr(error, "get_message", None)
    message = getattr(error, "log_message", None)
    try:
        said = read() if callable(read) else message % error.args if message and error.args else message
    except (TypeError, ValueError):
        said = message
    return str(said or getattr(error, "reason", None) or "")


def _hide(text: str, data: Mapping[str, Any]) -> str:
    """Return `text` without anything secret that the form sent."""
    for field, value in data.items():
        if field not in _PUBLIC_FIELDS and isinstance(value, str) and value:
            # A short one is part of many innocent words; it is looked for as a word of its own.
            pattern = re.escape(value) if len(value) > 4 else rf"(?<!\w){re.escape(value)}(?!\w)"
            text = re.sub(pattern, "[hidden]", text.replace(repr(value), "[hidden]"))
    return text
