"""The classes that a configuration chooses: authenticator, spawner and proxy."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from carrel.authenticators.base import Authenticator
from carrel.config.chosen import Chosen
from carrel.config.packages import AUTHENTICATOR_PACKAGES, PROXY_PACKAGES, SPAWNER_ANSWERS, SPAWNER_PACKAGES
from carrel.config.plugins import check_plugins
from carrel.config.profiles import ProfileSource, classes_read, read_source, spawners_of
from carrel.config.schema import BadConfig, Problem, Settings
from carrel.config.upstream import UNUSED_TRAITS
from carrel.lib.registry import Kind, UnknownClass, find_class, find_known
from carrel.proxy.base import Proxy
from carrel.spawners.base import Spawner
from carrel.spawners.classes import SpawnerClasses
from carrel.spawners.repositories import Repositories

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
        "slurm": "carrel.spawners.batch.slurm.SlurmSpawner",
        "pbs": "carrel.spawners.batch.pbs.PBSSpawner",
        "torque": "carrel.spawners.batch.pbs.TorqueSpawner",
        "gridengine": "carrel.spawners.batch.gridengine.GridengineSpawner",
        "lsf": "carrel.spawners.batch.lsf.LsfSpawner",
        "htcondor": "carrel.spawners.batch.htcondor.CondorSpawner",
    },
    groups=("carrel.spawners", "jupyterhub.spawners"),
    replaced=_REPLACED,
    packages=SPAWNER_PACKAGES,
    stand_ins={
        "kube": "carrel.spawners.kubernetes.spawner.KubeSpawner",
        "kubernetes": "carrel.spawners.kubernetes.spawner.KubeSpawner",
        "sudo": "carrel.spawners.sudo.SudoSpawner",
        "docker": "carrel.spawners.docker.spawner.DockerSpawner",
        "docker-swarm": "carrel.spawners.docker.swarm.SwarmSpawner",
        "docker-system-user": "carrel.spawners.docker.system_user.SystemUserSpawner",
        "swarm": "carrel.spawners.docker.swarm.SwarmSpawner",
    },
    answers=SPAWNER_ANSWERS,
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
_log = logging.getLogger("carrel.app")


@dataclass(frozen=True, slots=True)
class Classes:
    """What a configuration chooses."""

    authenticator: type[Authenticator]
    spawner: type[Spawner]
    proxy: type[Proxy]
    wrapped: tuple[type[Spawner], ...] = ()
    """Spawners that profiles choose from, or a spawner such as WrapSpawner."""
    profiles: ProfileSource = field(default_factory=ProfileSource)

    def chosen(self) -> list[type[Any]]:
        """Return those that the configuration chooses."""
        return [self.authenticator, self.spawner, self.proxy, *self.wrapped]

    def others(self) -> tuple[type[Any], ...]:
        """Return those whose sections are read whatever is chosen."""
        return (Repositories, *classes_read(self.profiles))

    def spawners(self) -> SpawnerClasses:
        """Return the spawners that servers may have."""
        return SpawnerClasses(self.spawner, self.wrapped, partial(find_known, kind=SPAWNERS))

    def chosen_by(self, settings: Settings) -> Chosen:
        """Return them with the settings that chose them."""
        chosen = self.authenticator, self.spawner, self.proxy
        return Chosen(settings, *chosen, self.wrapped, self.others())


def find_classes(settings: Settings) -> tuple[Classes, list[Problem]]:
    """Return the plug-in classes, a base class in place of one that cannot be loaded, and all problems."""
    problems: list[Problem] = []
    classes = Classes(
        _resolve(settings, settings.authenticator_class, AUTHENTICATORS, problems),
        _resolve(settings, settings.spawner_class, SPAWNERS, problems),
        _resolve(settings, settings.proxy_class, PROXIES, problems),
    )
    if problems:
        # Of classes that are not what was meant nothing can be said.
        return classes, problems
    classes = replace(classes, wrapped=_wrapped(settings, classes))
    classes, wrong = _with_profiles(settings, classes)
    return classes, [*check_plugins(settings, classes.chosen(), classes.others()), *wrong]


def _with_profiles(settings: Settings, classes: Classes) -> tuple[Classes, list[Problem]]:
    """Return the classes with the profiles and the spawners that these name, and what is wrong with them."""
    named: list[type[Spawner]] = []

    def find(wanted: object) -> type[Spawner]:
        cls = classes.spawner if wanted is None else find_class(wanted, SPAWNERS)
        named.append(cls)
        return cls

    source, problems = read_source(settings, classes.chosen_by(settings), find)
    for wanted in spawners_of(settings):
        try:
            find(wanted)
        except UnknownClass as error:
            text = str(error).removeprefix(f"{SPAWNERS.setting}: ")
            place = settings.locations.get("Profiles.spawners", "")
            problems.append(Problem("Profiles.spawners", text, place))
    known = (*classes.wrapped, *named)
    others = tuple(cls for cls in dict.fromkeys(known) if cls is not classes.spawner)
    return replace(classes, wrapped=others, profiles=source), problems


def _wrapped(settings: Settings, classes: Classes) -> tuple[type[Spawner], ...]:
    """Return the spawners that the spawner chooses from, as far as they can be found."""
    chosen = classes.chosen_by(settings)
    profiles = chosen.of_spawner("profiles")
    named = [chosen.of_spawner("child_class")]
    if isinstance(profiles, list | tuple):
        named += [entry[2] for entry in profiles if isinstance(entry, list | tuple) and len(entry) > 2]
    found: list[type[Spawner]] = []
    for wanted in named:
        with contextlib.suppress(UnknownClass):
            found.append(find_class(wanted, SPAWNERS))
    return tuple(cls for cls in dict.fromkeys(found) if cls not in classes.chosen())


def resolve_classes(settings: Settings) -> Classes:
    """Return the plug-in classes and the profiles; raise BadConfig for what cannot be used."""
    classes, problems = find_classes(settings)
    for problem in problems:
        if not problem.fatal:
            _log.warning("%s", problem)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise BadConfig(fatal)
    for problem in problems:
        # Said once is enough: traitlets would say it again each time that it makes an object.
        section, _, name = problem.setting.partition(".")
        if problem.kind == "unknown" or name in UNUSED_TRAITS.get(section, {}):
            settings.plugins[section].pop(name, None)
    return classes


def _resolve(settings: Settings, wanted: object, kind: Kind[P], problems: list[Problem]) -> type[P]:
    """Return the class that a setting names; note a problem and return the base when there is none."""
    try:
        return find_class(wanted, kind)
    except UnknownClass as error:
        text = str(error).removeprefix(f"{kind.setting}: ")
        problems.append(Problem(kind.setting, text, settings.locations.get(kind.setting, "")))
        return kind.base
