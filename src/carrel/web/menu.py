"""The menu: where a visitor may go from every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.caller import Caller
from carrel.core.context import HubContext


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of a menu."""

    label: str
    url: str
    current: bool = False
    """The visitor is there."""


def menu(hub: HubContext, caller: Caller, path: str) -> list[Entry]:
    """Return the main menu for somebody who looks at `path`."""
    shown = [("Home", "home", True)]
    shown.append(("Tokens", "token", caller.may("read:tokens", user=caller.user.name)))
    shown.append(("Administration", "admin", may_administrate(caller)))
    base_url = f"{hub.settings.base_url}hub/"
    return [
        Entry(label, base_url + page, f"{path}/".startswith(f"{base_url}{page}/"))
        for label, page, may in shown
        if may
    ]


def sections(hub: HubContext, caller: Caller, current: str) -> list[Entry]:
    """Return the sections of the administration that a visitor may see something of; one is the `current`."""
    shown = (
        ("Users", "admin", "list:users"),
        ("Groups", "admin/groups", "list:groups"),
    )
    return [
        Entry(label, f"{hub.settings.base_url}hub/{page}", label == current)
        for label, page, scope in shown
        if caller.scopes.grant(scope) is not None
    ]


def services(hub: HubContext, caller: Caller) -> Sequence[Entry]:
    """Return the services that a visitor may open: none, as long as the hub has none."""
    return ()


def may_administrate(caller: Caller) -> bool:
    """Tell whether the administration is there for somebody; what it shows still needs the scopes for it."""
    return caller.scopes.grant("admin-ui") is not None
