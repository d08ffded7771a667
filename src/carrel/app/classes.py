"""The classes that a configuration chooses: authenticator, spawner and proxy."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from traitlets.config.loader import LazyConfigValue

from carrel.authenticators.base import Authenticator
from carrel.config.packages import AUTHENTICATOR_PACKAGES, PROXY_PACKAGES, SPAWNER_PACKAGES
from carrel.config.plugins import check_plugins
from carrel.config.schema import BadConfig, Problem, Settings
from carrel.lib.registry import Kind, UnknownClass, find_class
from carrel.proxy.base import Proxy
from carrel.spawners.base import Spawner

#: The distribution whose own classes Carrel's stand for, whether it is installed or not.
_REPLACED = ("jupyterhub",)

AUTHENTICATORS: Kind[Authenticator] = Kind(
    setting="JupyterHub.authenticator_class",
    base=Authenticator,
    builtins={
        "default": "carrel.authenticators.pam.PAMAuthenticator",
        "pam": "carrel.authenticators.pam.PAMAuthenticator",
        "dummy": "carrel.authenticators.dummy.DummyAuthenticator",
        "shared-password": "carrel.authenticators.shared.SharedPasswordAuthenticator",
        "null": "carrel.authenticators.null.NullAuthenticator",
    },
    groups=("carrel.authenticators", "jupyterhub.authenticators"),
    replaced=_REPLACED,
    packages=AUTHENTICATOR_PACKAGES,
)
SPAWNERS: Kind[Spawner] = Kind(
    setting="JupyterHub.spawner_class",
    base=Spawner,
    builtins={
        "default": "carrel.spawners.local.LocalProcessSpawner",
        "localprocess": "carrel.spawners.local.LocalProcessSpawner",
        "simple": "carrel.spawners.simple.SimpleLocalProcessSpawner",
    },
    groups=("carrel.spawners", "jupyterhub.spawners"),
    replaced=_REPLACED,
    packages=SPAWNER_PACKAGES,
)
PROXIES: Kind[Proxy] = Kind(
    setting="JupyterHub.proxy_class",
    base=Proxy,
    builtins={
        "default": "carrel.proxy.embedded.CarrelProxy",
        "carrel": "carrel.proxy.embedded.CarrelProxy",
        "configurable-http-proxy": "carrel.proxy.chp.ConfigurableHTTPProxy",
        "haproxy": "carrel.proxy.haproxy.HAProxyProxy",
        "traefik": "carrel.proxy.traefik.TraefikProxy",
    },
    groups=("carrel.proxies", "jupyterhub.proxies"),
    replaced=_REPLACED,
    packages=PROXY_PACKAGES,
)
P = TypeVar("P")
_DOTTED = re.compile(r"(?:\w+\.)+\w*(?:Spawner|Authenticator)")
_log = logging.getLogger("carrel.app")


@dataclass(frozen=True, slots=True)
class Classes:
    """What a configuration chooses."""

    authenticator: type[Authenticator]
    spawner: type[Spawner]
    proxy: type[Proxy]

    def all(self) -> list[type[Any]]:
        """Return the three."""
        return [self.authenticator, self.spawner, self.proxy]


def find_classes(settings: Settings) -> tuple[Classes, list[Problem]]:
    """Return the plug-in classes, a base class in place of one that cannot be loaded, and all problems."""
    problems: list[Problem] = []
    classes = Classes(
        _resolve(settings, settings.authenticator_class, AUTHENTICATORS, problems),
        _resolve(settings, settings.spawner_class, SPAWNERS, problems),
        _resolve(settings, settings.proxy_class, PROXIES, problems),
    )
    # Of classes that are not what was meant nothing can be said.
    chosen = classes.all()
    return classes, problems or check_plugins(settings, [*chosen, *inner_classes(settings, chosen)])


def inner_classes(settings: Settings, chosen: Sequence[type[Any]]) -> list[type[Any]]:
    """Return the classes that the settings of the chosen ones name: some spawners start others.

    What cannot be imported is left for the one that wants it to complain of.
    """
    lineage = dict.fromkeys(base.__name__ for cls in chosen for base in cls.__mro__)
    values = [value for name in lineage for value in settings.plugins.get(name, {}).values()]
    return [cls for cls in dict.fromkeys(_classes_in(values)) if cls not in chosen]


def _classes_in(value: object) -> Iterator[type[Any]]:
    if isinstance(value, type):
        if issubclass(value, Spawner | Authenticator):
            yield value
    elif isinstance(value, str):
        if _DOTTED.fullmatch(value):
            kind: Kind[Any] = SPAWNERS if value.endswith("Spawner") else AUTHENTICATORS
            with suppress(UnknownClass):
                yield find_class(value, kind)
    elif isinstance(value, Mapping | LazyConfigValue):
        inside = value.to_dict() if isinstance(value, LazyConfigValue) else value
        yield from _classes_in(list(inside.values()))
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from _classes_in(each)


def resolve_classes(settings: Settings) -> tuple[type[Authenticator], type[Spawner], type[Proxy]]:
    """Return the three plug-in classes; raise BadConfig for what cannot be loaded or is set wrongly."""
    classes, problems = find_classes(settings)
    for problem in problems:
        if not problem.fatal:
            _log.warning("%s", problem)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise BadConfig(fatal)
    return classes.authenticator, classes.spawner, classes.proxy


def _resolve(settings: Settings, wanted: object, kind: Kind[P], problems: list[Problem]) -> type[P]:
    """Return the class that a setting names; note a problem and return the base when there is none."""
    try:
        return find_class(wanted, kind)
    except UnknownClass as error:
        text = str(error).removeprefix(f"{kind.setting}: ")
        problems.append(Problem(kind.setting, text, settings.locations.get(kind.setting, "")))
        return kind.base
