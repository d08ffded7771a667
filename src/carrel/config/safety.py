"""What a configuration lets people do that its writer may not have meant, and what would be safe."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from traitlets.config import Config

from carrel.config.addresses import socket_path
from carrel.config.arguments import COMMAND_LINE
from carrel.config.chosen import Chosen, lineage
from carrel.config.schema import Problem
from carrel.config.sections import was_set
from carrel.lib.net import EVERYWHERE
from carrel.lib.redaction import is_secret_name

_LOOPBACK = ("127.", "::1", "localhost")
_LEAST = 8
"""Characters of a secret that is looked for in the source; shorter ones stand anywhere."""


def find_dangers(chosen: Chosen) -> list[Problem]:
    """Return what is unsafe; reads the configuration's own files, writes nothing."""
    return [problem for check in _CHECKS for problem in check(chosen)]


def is_public(chosen: Chosen) -> bool:
    """Tell whether others than this machine reach the public address."""
    settings = chosen.settings
    return socket_path(settings.bind_url) is None and not settings.ip.startswith(_LOOPBACK)


def _found(chosen: Chosen, setting: str, message: str) -> Problem:
    return chosen.problem(setting, message, "unsafe")


def _dummy(chosen: Chosen) -> Iterator[Problem]:
    if "DummyAuthenticator" not in lineage(chosen.authenticator) or not is_public(chosen):
        return
    where = chosen.hub_setting("authenticator_class")
    if chosen.of_authenticator("password"):
        text = "everybody has the same password, administrators too"
    else:
        also = ", also that of an administrator" if chosen.of_authenticator("admin_users") else ""
        text = f"whoever reaches the hub logs in under any name{also}, without a password"
    yield _found(chosen, where, f"{text}: for trials set c.JupyterHub.ip = '127.0.0.1', else choose another")


def _shared_account(chosen: Chosen) -> Iterator[Problem]:
    names = {name for cls in (chosen.spawner, *chosen.wrapped) for name in lineage(cls)}
    if "SimpleLocalProcessSpawner" in names and is_public(chosen):
        text = (
            "all servers run with the hub's own account: each user reads the others' files, the hub's "
            "database and its secrets. For trials only; 'localprocess' gives each user their own account"
        )
        yield _found(chosen, chosen.hub_setting("spawner_class"), text)


def _no_tls(chosen: Chosen) -> Iterator[Problem]:
    settings = chosen.settings
    if not is_public(chosen) or settings.ssl_cert or settings.public_url.startswith("https:"):
        return
    text = (
        "passwords and cookies cross the network unencrypted, unless a proxy in front ends TLS: then set "
        "c.JupyterHub.ip = '127.0.0.1' if it is on this machine, and c.JupyterHub.public_url = 'https://…'"
    )
    where = "bind_url" if settings.bind_url else "ip"
    yield _found(chosen, chosen.hub_setting(where), text)


def _open_sign_up(chosen: Chosen) -> Iterator[Problem]:
    if chosen.of_authenticator("open_signup"):
        text = "whoever signs up is let in at once: without it, an administrator lets them in first"
        yield _found(chosen, chosen.written(chosen.authenticator, "open_signup"), text)


def _everybody(chosen: Chosen) -> Iterator[Problem]:
    if "OAuthenticator" not in lineage(chosen.authenticator) or not chosen.of_authenticator("allow_all"):
        return
    service = chosen.of_authenticator("login_service") or "the provider"
    text = (
        f"everybody who has an account at {service} is let in, not only your people: name users, groups or "
        "organizations instead, unless the provider is your own"
    )
    yield _found(chosen, chosen.written(chosen.authenticator, "allow_all"), text)


def _hub_everywhere(chosen: Chosen) -> Iterator[Problem]:
    spawners = (chosen.spawner, *chosen.wrapped)
    local = all("LocalProcessSpawner" in lineage(cls) for cls in spawners)
    if chosen.settings.hub_ip in EVERYWHERE and local:
        text = (
            "other machines reach the hub past the proxy, and nobody needs that with servers on this one: "
            "leave it at 127.0.0.1"
        )
        where = "hub_bind_url" if chosen.settings.hub_bind_url else "hub_ip"
        yield _found(chosen, chosen.hub_setting(where), text)


def _metrics(chosen: Chosen) -> Iterator[Problem]:
    if not chosen.settings.authenticate_prometheus and is_public(chosen):
        text = "everybody reads /hub/metrics: give a service the scope read:metrics instead"
        yield _found(chosen, chosen.hub_setting("authenticate_prometheus"), text)


def _readable_secrets(chosen: Chosen) -> Iterator[Problem]:
    """Look for secrets that stand in a file which others may read; those of the environment are not there."""
    for name in _files(chosen):
        path = chosen.settings.resolve(name)
        try:
            mode, source = path.stat().st_mode, path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if not mode & (stat.S_IRGRP | stat.S_IROTH):
            continue
        held = [setting for setting, value in _secrets(chosen) if _stands_in(value, source)]
        if held:
            who = "everybody on this machine" if mode & stat.S_IROTH else "its group"
            text = (
                f"{who} can read {name}, and with it {', '.join(dict.fromkeys(held))}: run `chmod 600 "
                f"{name}`, or take them from environment variables"
            )
            yield Problem("", text, name, fatal=False, kind="unsafe")


def _files(chosen: Chosen) -> list[str]:
    """Return the configuration's files, as they are named in places."""
    places = (place.rpartition(":")[0] or place for place in chosen.settings.locations.values())
    return [
        name
        for name in dict.fromkeys((chosen.settings.config_file, *places))
        if name and name != COMMAND_LINE
    ]


def _stands_in(value: Any, source: str) -> bool:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return len(text) >= _LEAST and text in source


def _secrets(chosen: Chosen) -> Iterator[tuple[str, Any]]:
    settings = chosen.settings
    if settings.cookie_secret:
        yield "cookie_secret", settings.cookie_secret
        yield "cookie_secret", settings.cookie_secret.hex()
    for token in (*settings.api_tokens, *settings.service_tokens):
        yield "API tokens", token
    for service in settings.services:
        if isinstance(service, Mapping) and service.get("api_token"):
            yield f"the api_token of service {service.get('name', '')}", service["api_token"]
    _, at, _ = settings.db_url.partition("@")
    if at and ":" in settings.db_url.partition("@")[0].partition("://")[2]:
        yield "the database's password", settings.db_url
    for section, values in settings.plugins.items():
        for name, raw in values.items() if isinstance(values, Config) else ():
            if was_set(raw) and (is_secret_name(name) or name == "keys"):
                for each in raw if isinstance(raw, list | tuple) else (raw,):
                    yield f"{section}.{name}", each


def _cookie_secret(chosen: Chosen) -> Iterator[Problem]:
    settings = chosen.settings
    name = "JupyterHub.cookie_secret"
    if settings.cookie_secret and name in settings.written:
        text = "who reads this file can make cookies of anybody's: keep it in cookie_secret_file, or in the "
        yield _found(chosen, name, text + "variable JPY_COOKIE_SECRET")


def _writable_places(chosen: Chosen) -> Iterator[Problem]:
    """Look whether somebody else can change what the hub runs."""
    if not chosen.settings.config_file:
        return
    path: Path = chosen.settings.resolve(chosen.settings.config_file)
    try:
        found = path.stat()
    except OSError:
        return
    if found.st_mode & stat.S_IWOTH:
        text = f"everybody on this machine can change what the hub does: run `chmod o-w {path}`"
        yield Problem("", text, chosen.settings.config_file, fatal=False, kind="unsafe")
    elif os.geteuid() == 0 and found.st_uid != 0:
        text = (
            "the hub runs as root, and this file's owner is somebody else, who can thus do all that root can"
        )
        yield Problem("", text, chosen.settings.config_file, fatal=False, kind="unsafe")


_CHECKS: tuple[Callable[[Chosen], Iterator[Problem]], ...] = (
    _dummy,
    _shared_account,
    _open_sign_up,
    _everybody,
    _no_tls,
    _hub_everywhere,
    _metrics,
    _cookie_secret,
    _readable_secrets,
    _writable_places,
)
