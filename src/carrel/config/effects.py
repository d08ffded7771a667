"""What a setting comes to, in a sentence for people: the hub's own, and the commonest of classes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from traitlets import HasTraits

from carrel.config.chosen import Chosen
from carrel.config.schema import printable, setting_fields
from carrel.lib.net import EVERYWHERE

_MOST_NAMES = 6


def effect_of_hub(name: str, value: Any, chosen: Chosen) -> str:
    """Return what a setting of the hub comes to."""
    told = _HUB.get(name)
    if told is not None:
        return told(value, chosen)
    field = setting_fields().get(name)
    return field.metadata["help"] if field is not None else ""


def effect_of_trait(cls: type[HasTraits], name: str, value: Any) -> str:
    """Return what a trait comes to: in its own sentence, or as the class explains it."""
    told = _TRAITS.get(name)
    if told is not None and not callable(value):
        # A value of the wrong type is refused elsewhere.
        with contextlib.suppress(TypeError, ValueError):
            if text := told(value):
                return text
    trait = cls.class_traits().get(name)
    if trait is None:
        return ""
    return first_sentences(trait.help) if trait.help else f"Read by {cls.__name__}."


def first_sentences(text: str) -> str:
    """Return the first paragraph of a help text on one line, shortened at the end of a sentence."""
    paragraph = " ".join(re.split(r"\n\s*\n", text.strip())[0].split())
    if len(paragraph) <= 160:
        return paragraph
    end = paragraph.rfind(". ", 0, 160)
    return paragraph[: end + 1] if end > 0 else f"{paragraph[:157].rpartition(' ')[0]} …"


def enumerate_names(names: Iterable[object], most: int = _MOST_NAMES) -> str:
    """Return `ada, bob and eve`, or the first few and how many more there are."""
    # A text in place of a set of names is refused; its letters are no names.
    words = sorted(str(name) for name in ((names,) if isinstance(names, str) else names))
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "nobody"


def _days(value: float) -> str:
    return f"{value:g} day{'' if value == 1 else 's'}"


def _yes_no(yes: str, no: str) -> Callable[[Any, Chosen], str]:
    return lambda value, _: yes if value else no


def _listens(value: str) -> str:
    if value in EVERYWHERE:
        return "all addresses of this machine"
    return f"{value}, which only this machine reaches" if value.startswith("127.") else value


def _cleanup(what: str) -> Callable[[Any, Chosen], str]:
    def told(value: Any, _: Chosen) -> str:
        if value is None:
            return (
                f"{what} are stopped when the hub ends by Ctrl-C, and go on when a service manager ends it."
            )
        return f"{what} are stopped with the hub." if value else f"{what} go on when the hub stops."

    return told


def _roles(value: Any, _: Chosen) -> str:
    roles = [role for role in value if isinstance(role, dict)]
    found = [_role(role) for role in roles]
    return f"Makes the roles {', '.join(found)}; roles of earlier starts that stand here no more go."


def _role(role: dict[str, Any]) -> str:
    count = len(role.get("scopes") or ())
    return f"{role.get('name', '?')} ({count} scope{'' if count == 1 else 's'})"


def _services(value: Any, _: Chosen) -> str:
    found = []
    for service in value:
        if isinstance(service, dict):
            how = "started by the hub" if service.get("command") else "run by somebody else"
            found.append(f"{service.get('name', '?')} ({how}{', with a page' if service.get('url') else ''})")
    return f"Services: {', '.join(found) or 'none'}."


def _named_limit(value: Any, _: Chosen) -> str:
    if callable(value):
        return "How many named servers somebody may have is asked of a function."
    return f"Everybody may have {value or 'any number of'} named servers."


_HUB: dict[str, Callable[[Any, Chosen], str]] = {
    "ip": lambda value, _: f"People reach the hub at {_listens(value)}.",
    "port": lambda value, _: f"People reach the hub on port {value}.",
    "base_url": lambda value, _: f"Everything is below {value}.",
    "bind_url": lambda value, _: f"The public side listens at {value}.",
    "hub_ip": lambda value, _: f"The hub listens on {_listens(value)}, for servers and proxy.",
    "hub_port": lambda value, _: f"Servers and the proxy reach the hub on port {value}.",
    "hub_connect_ip": lambda value, _: f"Servers and the proxy are told to find the hub at {value}.",
    "cookie_secret": lambda value, _: "Signs cookies.",
    "cookie_secret_file": lambda value, chosen: f"The secret is in {chosen.settings.resolve(value)}.",
    "authenticator_class": lambda _, chosen: f"People log in by {chosen.authenticator.__name__}.",
    "spawner_class": lambda _, chosen: f"Servers are started by {chosen.spawner.__name__}.",
    "proxy_class": lambda _, chosen: f"{chosen.proxy.__name__} steers the data plane.",
    "db_url": lambda _, chosen: f"The hub's state is in {printable(chosen.settings)['db_url'][1:-1]}.",
    "cookie_max_age_days": lambda value, _: f"Who logs in stays logged in for {_days(value)}.",
    "load_groups": lambda value, _: f"Makes the groups {enumerate_names(value)}.",
    "load_roles": _roles,
    "services": _services,
    "service_tokens": lambda value, _: f"{len(value)} tokens of services: {enumerate_names(value.values())}.",
    "api_tokens": lambda value, _: f"{len(value)} tokens of users: {enumerate_names(value.values())}.",
    "cleanup_servers": _cleanup("Users' servers"),
    "cleanup_proxy": _cleanup("The data plane's processes"),
    "redirect_to_server": _yes_no("A log-in leads to the user's server.", "A log-in leads to the home page."),
    "concurrent_spawn_limit": lambda value, _: f"{value or 'Any number of'} servers start at once.",
    "active_server_limit": lambda value, _: f"{value or 'Any number of'} servers may run in all.",
    "allow_named_servers": _yes_no("Users may have further servers with names.", "Each user has one server."),
    "named_server_limit_per_user": _named_limit,
    "authenticate_prometheus": _yes_no("Metrics take a scope.", "Everybody reads the metrics."),
    "template_vars": lambda value, _: f"Templates know {enumerate_names(value)}.",
    "log_level": lambda value, _: f"The log holds {value} and above.",
}  # fmt: skip


def _size(value: Any) -> str:
    if isinstance(value, int | float):
        for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
            if value >= 2**power:
                return f"{value / 2**power:g} {unit}"
        return f"{value:g} bytes"
    return str(value)


def _command(value: Any) -> str:
    return (
        "A server is started as `"
        + (value if isinstance(value, str) else " ".join(map(str, value or ())))
        + "`."
    )


def _either(yes: str, no: str = "") -> Callable[[Any], str]:
    return lambda value: yes if value else no


_TRAITS: dict[str, Callable[[Any], str]] = {
    "admin_users": lambda value: f"Administrators at their next log-in: {enumerate_names(value)}.",
    "allowed_users": lambda value: f"Admitted by name: {enumerate_names(value)}.",
    "blocked_users": lambda value: f"Never admitted: {enumerate_names(value)}.",
    "allowed_groups": lambda value: f"Members of these groups are admitted: {enumerate_names(value)}.",
    "admin_groups": lambda value: f"Members of these groups become administrators: {enumerate_names(value)}.",
    "allow_all": _either("Everybody who proves who they are is admitted.", "Only who a rule names."),
    "allow_existing_users": _either("Whoever the hub knows already is admitted."),
    "create_system_users": _either("Accounts of this machine are made for new users."),
    "open_signup": _either("Whoever signs up is admitted at once.", "An administrator admits who signs up."),
    "password": _either("One password for everybody.", "No password is asked for."),
    "profiles": lambda value: f"People choose among {len(value)} kinds of servers." if value else "",
    "cmd": _command,
    "args": lambda value: f"Added to the command: {' '.join(map(str, value))}" if value else "",
    "mem_limit": lambda value: f"A server may use {_size(value)} of memory." if value else "",
    "mem_guarantee": lambda value: f"A server is sure of {_size(value)} of memory." if value else "",
    "cpu_limit": lambda value: f"A server may use {value:g} CPUs." if value else "",
    "pids_limit": lambda value: f"A server may have {value} processes and threads." if value else "",
    "cpu_guarantee": lambda value: f"A server is sure of {value:g} CPUs." if value else "",
    "environment": lambda value: f"Servers get the variables {enumerate_names(value)}.",
    "env_keep": lambda value: f"Servers get the hub's own variables {enumerate_names(value)}.",
    "default_url": lambda value: f"A server opens at {value}." if value else "",
    "notebook_dir": lambda value: f"A server shows the directory {value}." if value else "",
    "start_timeout": lambda value: f"A start may take {value:g} seconds.",
    "http_timeout": lambda value: f"A started server has {value:g} seconds to answer.",
    "image": lambda value: f"Servers run the image {value}.",
    "network_name": lambda value: f"Containers are in the network {value}.",
    "should_start": _either("The hub starts the data plane.", "The data plane is run by somebody else."),
}  # fmt: skip
