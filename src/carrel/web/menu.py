"""The menu: where a visitor may go from every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.services import Service, service_prefix


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of a menu."""

    label: str
    url: str
    current: bool = False
    """The visitor is there."""


@dataclass(frozen=True, slots=True)
class ServiceLink:
    """A service in the menu, with the attributes that templates written for JupyterHub read."""

    name: str
    prefix: str
    href: str


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
        ("Services", "admin/services", "list:services"),
    )
    return [
        Entry(label, f"{hub.settings.base_url}hub/{page}", label == current)
        for label, page, scope in shown
        if caller.scopes.grant(scope) is not None
    ]


def service_menu(hub: HubContext, services: Sequence[Service]) -> list[ServiceLink]:
    """Return the links to services."""
    prefixes = {each.name: service_prefix(hub.settings.base_url, each.name) for each in services}
    hosts = hub.hosts
    return [ServiceLink(name, prefix, href=hosts.service_url(name)) for name, prefix in prefixes.items()]


def may_administrate(caller: Caller) -> bool:
    """Tell whether the administration is there for somebody; what it shows still needs the scopes for it."""
    return caller.scopes.grant("admin-ui") is not None
