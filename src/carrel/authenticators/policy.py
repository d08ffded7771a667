"""Who may log in: the one decision that every authenticator shares, as a table of facts. Pure functions."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

NO_RULE = (
    "nobody may log in because no allow rule is set: set c.Authenticator.allow_all = True "
    "or c.Authenticator.allowed_users = {...}"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the configuration says about one name."""

    blocked: bool = False
    admin: bool = False
    """Named in `admin_users`."""
    allow_all: bool = False
    listed: bool = False
    """Named in `allowed_users`."""
    exists: bool = False
    """A user of that name exists and `allow_existing_users` is on."""
    any_rule: bool = False
    """Some rule that admits people is set, be it of the authenticator's own."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody who has proved who they are may come in, and why."""

    admitted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a log-in was refused, once for the person and once for whoever runs the hub."""

    reason_for_page: str
    reason_for_log: str
    status: int = 403
    cause: Exception | None = field(default=None, repr=False)
    """What the authenticator, or a hook of it, raised."""


def decide(standing: Standing) -> Decision:
    """Return whether a name is admitted: blocked names never, then the first rule that admits."""
    if standing.blocked:
        return Decision(False, "blocked by blocked_users")
    if standing.admin:
        return Decision(True, "named in admin_users")
    if standing.allow_all:
        return Decision(True, "allow_all is set")
    if standing.listed:
        return Decision(True, "named in allowed_users")
    if standing.exists:
        return Decision(True, "exists already, and allow_existing_users is set")
    if not standing.any_rule:
        return Decision(False, NO_RULE)
    return Decision(False, "not admitted by any allow rule")


def refuse_admission(name: str, why: str) -> Refusal:
    """Return the refusal of somebody who has proved to be `name` but may not come in."""
    page = f"You are signed in as {show(name)}, but may not use this hub."
    if why == NO_RULE:
        page = f"{NO_RULE[0].upper()}{NO_RULE[1:]}."
    return Refusal(page, f"{show(name)} was refused: {why}")


def refuse_credentials(name: str) -> Refusal:
    """Return the refusal of a wrong password or an unknown name, which look the same from outside."""
    return Refusal("Invalid username or password", f"{show(name)} gave no valid credentials")


def fold_name(name: str) -> str:
    """Return `name` in the one form in which names are compared: lower case, composed (NFC).

    Folding again changes nothing.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


def show(text: object, limit: int = 200) -> str:
    """Return what somebody sent so that it fits on one line of a log: escaped, and cut at `limit`."""
    whole = str(text)
    cut = whole[:limit] + ("…" if len(whole) > limit else "")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in cut
    )
