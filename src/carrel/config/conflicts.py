"""Settings that do not go together: one of two has no effect, or what both are for will not work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from traitlets.config import Config

from carrel.config.chosen import Chosen, lineage
from carrel.config.limits import find_unenforced
from carrel.config.rights import read_rights
from carrel.config.schema import Problem
from carrel.lib.net import EVERYWHERE

#: Spawners whose servers run on other machines, or in a network of their own.
_ELSEWHERE = {"DockerSpawner", "SwarmSpawner", "KubeSpawner", "BatchSpawnerBase"}
#: Modules that stop idle servers, and what the service needs for that.
_CULLER = "jupyterhub_idle_culler"
_CULLER_SCOPES = ("list:users", "read:users:activity", "read:servers", "delete:servers")


def find_conflicts(chosen: Chosen) -> list[Problem]:
    """Return what does not go together; looks for files and programs, writes nothing."""
    return [problem for check in _CHECKS for problem in check(chosen)]


def _found(chosen: Chosen, setting: str, message: str) -> Problem:
    return chosen.problem(setting, message, "contradiction")


def allow_rules(chosen: Chosen) -> dict[str, Any]:
    """Return the traits that admit people, with their values, as far as they are set."""
    traits = chosen.authenticator.class_traits(config=True)
    names = [
        name for name, trait in traits.items() if trait.metadata.get("allow_config", name.startswith("allow"))
    ]
    values = {name: chosen.of_authenticator(name) for name in names}
    # A number is no rule, though it may be called allowed_failed_logins.
    numbers = {
        name for name, value in values.items() if isinstance(value, int) and not isinstance(value, bool)
    }
    return {name: value for name, value in values.items() if value and name not in numbers}


def _names(value: Any) -> set[str]:
    return (
        {each for each in value if isinstance(each, str)} if isinstance(value, set | list | tuple) else set()
    )


def _admission(chosen: Chosen) -> Iterator[Problem]:
    rules = allow_rules(chosen)
    cls = chosen.authenticator
    if rules.get("allow_all"):
        for name in sorted(rules.keys() - {"allow_all", "allow_existing_users"}):
            text = "it changes nothing: allow_all = True admits everybody. Remove one of the two"
            yield _found(chosen, chosen.written(cls, name), text)
    blocked = _names(chosen.of_authenticator("blocked_users"))
    for name in ("allowed_users", "admin_users"):
        both = sorted(blocked & _names(chosen.of_authenticator(name)))
        if both:
            text = f"{', '.join(both)} cannot log in, because blocked_users names them too"
            yield _found(chosen, chosen.written(cls, name), text)


def _nobody(chosen: Chosen) -> Iterator[Problem]:
    if "Authenticator" not in lineage(chosen.authenticator) or "NullAuthenticator" in lineage(
        chosen.authenticator
    ):
        return
    admins = _names(chosen.of_authenticator("admin_users"))
    if allow_rules(chosen) or chosen.of_authenticator("any_allow_config"):
        return
    who = f"nobody but the administrators ({', '.join(sorted(admins))})" if admins else "nobody"
    text = f"{who} can log in: name people in c.Authenticator.allowed_users, or set allow_all = True"
    yield _found(chosen, "Authenticator.allowed_users", text)


def _reach(chosen: Chosen) -> Iterator[Problem]:
    for cls in (chosen.spawner, *chosen.wrapped):
        yield from _reach_of(replace(chosen, spawner=cls))


def _reach_of(chosen: Chosen) -> Iterator[Problem]:
    settings = chosen.settings
    connect = settings.hub_connect_ip or settings.hub_connect_url or chosen.of_spawner("hub_connect_url")
    names = _ELSEWHERE & set(lineage(chosen.spawner))
    host = chosen.of_spawner("extra_host_config")
    if isinstance(host, Mapping) and host.get("network_mode") == "host":
        return
    who = chosen.spawner.__name__
    if names and not connect and settings.hub_ip.startswith("127."):
        text = (
            f"servers of {who} cannot reach the hub at {settings.hub_ip}: let it listen where they can, "
            "such as '0.0.0.0', and name this machine in c.JupyterHub.hub_connect_ip"
        )
        yield _found(chosen, chosen.hub_setting("hub_ip"), text)
    elif names and not connect and settings.hub_ip in EVERYWHERE:
        text = (
            f"servers of {who} are told to find the hub at 127.0.0.1, which is themselves: name this machine "
            "in c.JupyterHub.hub_connect_ip"
        )
        yield _found(chosen, chosen.hub_setting("hub_ip"), text)


def _local(chosen: Chosen) -> Iterator[Problem]:
    if "LocalProcessSpawner" not in lineage(chosen.spawner):
        return
    cls = chosen.spawner
    cmd = chosen.of_spawner("cmd")
    program = cmd if isinstance(cmd, str) else (cmd or [""])[0]
    if program and not shutil.which(program) and not chosen.of_spawner("shell_cmd"):
        remedy = "leave cmd at carrel-singleuser"
        if program == "carrel-singleuser":
            remedy = "name another one in c.Spawner.cmd (carrel-client has it)"
        text = f"there is no program {program} here: install it, or {remedy}"
        yield _found(chosen, chosen.written(cls, "cmd"), text)
    simple = {"SimpleLocalProcessSpawner", "SudoSpawner"} & set(lineage(cls))
    if os.geteuid() != 0 and not simple:
        text = "a hub that is not root starts servers for its own account alone"
        yield _found(chosen, chosen.hub_setting("spawner_class"), text)
    yield from find_unenforced(chosen)


def _sudo(chosen: Chosen) -> Iterator[Problem]:
    cls = chosen.spawner
    if "helper_path" not in cls.class_traits() or "SudoSpawner" not in lineage(cls):
        return
    for name in ("mem_limit", "cpu_limit", "mem_guarantee", "cpu_guarantee"):
        if chosen.of_spawner(name):
            text = "a hub that is not root cannot enforce it, and refuses every start with it: remove it"
            yield _found(chosen, chosen.written(cls, name), text)


def _root(chosen: Chosen) -> Iterator[Problem]:
    if os.geteuid() == 0:
        return
    if "PAMAuthenticator" in lineage(chosen.authenticator):
        text = "a hub that is not root can check the password of its own account alone"
        yield _found(chosen, chosen.hub_setting("authenticator_class"), text)
    if chosen.settings.port < 1024:
        text = f"only root, or who has CAP_NET_BIND_SERVICE, may listen on port {chosen.settings.port}"
        yield _found(chosen, chosen.hub_setting("port"), text)


def _no_time(chosen: Chosen) -> Iterator[Problem]:
    for name in ("start_timeout", "http_timeout"):
        value = chosen.of_spawner(name)
        if isinstance(value, int | float) and value <= 0:
            text = f"no server can start in {value:g} seconds: make it more than 0"
            yield _found(chosen, chosen.written(chosen.spawner, name), text)


def _named(chosen: Chosen) -> Iterator[Problem]:
    settings = chosen.settings
    if settings.named_server_limit_per_user and not settings.allow_named_servers:
        text = "it has no effect without allow_named_servers = True"
        yield _found(chosen, chosen.hub_setting("named_server_limit_per_user"), text)


def _both_sections(chosen: Chosen) -> Iterator[Problem]:
    for setting in chosen.settings.written:
        section, _, name = setting.partition(".")
        if section == "JupyterHub" and f"Carrel.{name}" in chosen.settings.written:
            yield _found(chosen, setting, f"c.Carrel.{name} wins over it: remove one of the two")


def _files(chosen: Chosen) -> Iterator[Problem]:
    settings = chosen.settings
    named = [("template_paths", path) for path in settings.template_paths]
    named += [(name, getattr(settings, name)) for name in ("logo_file", "data_files_path")]
    for name, path in named:
        if path and not settings.resolve(path).exists():
            yield _found(chosen, chosen.hub_setting(name), f"there is nothing at {settings.resolve(path)}")


def _cullers(chosen: Chosen) -> Iterator[Problem]:
    where = chosen.hub_setting("services")
    roles = read_rights(chosen.settings)[0].roles
    for service in chosen.settings.services:
        if not isinstance(service, Mapping) or not isinstance(service.get("name"), str):
            continue
        command = service.get("command") or ()
        words = [command] if isinstance(command, str) else [str(word) for word in command]
        name = service["name"]
        if any("cull_idle_servers.py" in word for word in words):
            text = f"service {name!r} runs the old cull_idle_servers.py: pip install jupyterhub-idle-culler"
            yield chosen.problem(where, f"{text}, and run python -m {_CULLER}", "deprecated")
        elif _runs_culler(words):
            held = {scope for role in roles if name in (role.services or ()) for scope in role.scopes or ()}
            if not service.get("admin") and not held:
                text = f"service {name!r} may stop nothing: it needs a role with {', '.join(_CULLER_SCOPES)}"
                yield _found(chosen, where, text)
            if _is_own_python(words) and find_spec(_CULLER) is None:
                text = f"service {name!r} cannot run: pip install jupyterhub-idle-culler"
                yield _found(chosen, where, text)


def _runs_culler(words: Sequence[str]) -> bool:
    return any(_CULLER in word or "jupyterhub-idle-culler" in word for word in words)


def _is_own_python(words: Sequence[str]) -> bool:
    return Path(words[0]).name.startswith("python") and shutil.which(words[0]) is not None


def _old_marks(chosen: Chosen) -> Iterator[Problem]:
    for section, values in chosen.settings.plugins.items():
        for name, raw in values.items() if isinstance(values, Config) else ():
            if name in ("notebook_dir", "default_url") and isinstance(raw, str) and "%U" in raw:
                text = "%U is old: write {username}"
                yield chosen.problem(f"{section}.{name}", text, "deprecated")


_CHECKS: tuple[Callable[[Chosen], Iterator[Problem]], ...] = (
    _nobody,
    _admission,
    _reach,
    _local,
    _sudo,
    _root,
    _no_time,
    _named,
    _both_sections,
    _files,
    _cullers,
    _old_marks,
)
