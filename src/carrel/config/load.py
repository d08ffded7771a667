"""The configuration file and the command line in, checked `Settings` out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from carrel.config.addresses import join_addresses, normal_base, split_addresses
from carrel.config.arguments import COMMAND_LINE, Arguments, BadArguments, parse_arguments
from carrel.config.check import check_settings
from carrel.config.files import ReadFile, read_file, short
from carrel.config.lines import find_lines, find_words
from carrel.config.names import (
    AUTHENTICATOR_ACCESS,
    DEPRECATED,
    DERIVED,
    HUB_ACCESS,
    NO_EFFECT,
    NOT_USED,
    REFUSED,
    is_access,
    known_names,
    nearest,
)
from carrel.config.schema import HUB_SECTIONS, PREFIX_VARIABLE, BadConfig, Problem, Settings, setting_fields
from carrel.config.secrets import SECRET_VARIABLE, read_secret_file
from carrel.config.sections import Sections, lift_nested, was_set
from carrel.config.tls import check_tls
from carrel.config.values import Unfit, read_value


@dataclass(frozen=True, slots=True)
class Loaded:
    """A usable configuration, and what a person should know about it."""

    settings: Settings
    warnings: list[Problem]


def load(argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Loaded:
    """Return the settings that a command line and the configuration file in `cwd` make.

    Raises BadConfig with all that is wrong, and BadArguments for a command line that makes no sense.
    Writes nothing; may be repeated (the configuration file runs each time).
    """
    arguments = parse_arguments(argv)
    if arguments.words:
        raise BadArguments(f"unexpected argument: {arguments.words[0]}")
    return load_arguments(arguments, cwd, environ)


def load_arguments(arguments: Arguments, cwd: Path, environ: Mapping[str, str]) -> Loaded:
    """Like `load`, for a command line that has been read already."""
    settings, problems = read_all(arguments, cwd, environ)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise BadConfig(fatal)
    return Loaded(settings, problems)


def read_all(
    arguments: Arguments, cwd: Path, environ: Mapping[str, str], *, with_file: bool = True
) -> tuple[Settings, list[Problem]]:
    """Return the settings as far as they can be read, and all problems, whether they are fatal or not.

    Without `with_file`, only the command line counts. Raises BadConfig for a file that is missing or fails.
    Writes nothing.
    """
    file = read_file(arguments.config_file, cwd) if with_file else ReadFile()
    draft = _Draft(file, arguments, cwd)
    draft.read_names()
    draft.read_layers()
    if SECRET_VARIABLE in environ and "cookie_secret" not in draft.values:
        draft.put("cookie_secret", environ[SECRET_VARIABLE], SECRET_VARIABLE)
    if PREFIX_VARIABLE in environ and "metrics_prefix" not in draft.values:
        draft.put("metrics_prefix", environ[PREFIX_VARIABLE], PREFIX_VARIABLE)
    settings = draft.finish()
    draft.problems += [*check_settings(settings), *check_tls(settings, environ)]
    if not settings.cookie_secret and not draft.refused("cookie_secret"):
        draft.attempt_secret(settings)
    return settings, [*arguments.warnings, *draft.problems]


@dataclass(slots=True)
class _Draft:
    """Settings in the making: what has been read so far, and all problems with it."""

    file: ReadFile
    arguments: Arguments
    cwd: Path
    problems: list[Problem] = field(init=False)
    values: dict[str, Any] = field(default_factory=dict)
    locations: dict[str, str] = field(init=False)
    of_file: dict[str, str] = field(init=False)
    places: dict[str, str] = field(init=False)
    plugins: Config = field(init=False)
    written: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.problems = list(self.file.warnings)
        self.of_file = self.places = find_lines(self.file.parts, self.cwd)
        of_line = {f"{section}.{name}": COMMAND_LINE for section, name, _ in _entries(self.arguments.config)}
        self.locations = {**self.of_file, **of_line}
        self.plugins = Config()
        for config in (self.file.config, self.arguments.config):
            self.plugins.merge(Config({k: v for k, v in config.items() if k not in HUB_SECTIONS}))
            self.problems += lift_nested(config, self.plugins, self.locations)
        entries = [entry for config in self.layers() for entry in _hub_entries(config)]
        self.written = {f"{section}.{name}": raw for section, name, raw in entries}
        if self.file.path is not None:
            # What is set in loops and functions has no line of its own: that of its name, or none, has to do.
            file = short(self.file.path, self.cwd)
            words = find_words(self.file.parts, self.cwd)
            for section, name, _ in (*_entries(self.plugins), *entries):
                place = words.get(name, file)
                self.locations.setdefault(f"{section}.{name}", place)
                self.of_file.setdefault(f"{section}.{name}", place)

    def layers(self) -> Iterator[Config]:
        """Yield the file's part and then the command line's, with `places` at what each of them sets."""
        self.places = self.of_file
        yield self.file.config
        self.places = self.locations
        yield self.arguments.config

    def report(self, setting: str, message: str, *, fatal: bool, kind: str = "") -> None:
        place = self.places.get(setting) or self.locations.get(setting, "")
        self.problems.append(Problem(setting, message, place, fatal, kind))

    def refused(self, name: str) -> bool:
        """Tell whether a value of this setting was given and cannot be used."""
        return any(each.fatal and each.setting.partition(".")[2] == name for each in self.problems)

    def read_names(self) -> None:
        """Report names that are misspelt, old or without effect, and follow those that have moved."""
        for config in self.layers():
            for section, name, raw in _hub_entries(config):
                self._read_name(config, section, name, raw)
        Sections(self.plugins, self.locations, self.problems.append).tidy()

    def _read_name(self, config: Config, section: str, name: str, raw: Any) -> None:
        setting = f"{section}.{name}"
        if name in setting_fields() or name in DERIVED:
            return
        if name in REFUSED:
            if raw:
                self.report(setting, REFUSED[name], fatal=True)
        elif name in DEPRECATED:
            target, text = DEPRECATED[name]
            self.report(setting, f"deprecated: {text}", fatal=False, kind="deprecated")
            if target is not None:
                self._move(config, target, raw, setting)
        elif name in NO_EFFECT:
            self.report(setting, NO_EFFECT[name], fatal=False, kind="unused")
        elif name in NOT_USED:
            self.report(setting, f"not used by this version: {NOT_USED[name]}", fatal=False, kind="unused")
        else:
            self._read_unknown(setting, name)

    def _read_unknown(self, setting: str, name: str) -> None:
        near = nearest(name, {*known_names(), *AUTHENTICATOR_ACCESS})
        rule = f"one of this name would say who may do what: did you mean c.Authenticator.{near}?"
        if near in AUTHENTICATOR_ACCESS:
            text = f"no such setting, and {rule}"
        elif near in HUB_ACCESS:
            text = f"there is no such setting, and {near} says who may do what: did you mean that?"
        elif near is not None:
            text = f"there is no such setting: it has no effect; did you mean {near}?"
        elif is_access(name):
            text = "no such setting, and one of this name would say who may do what: correct or remove it"
        else:
            text = "there is no such setting: it has no effect"
        fatal = near in (*AUTHENTICATOR_ACCESS, *HUB_ACCESS) or (near is None and is_access(name))
        self.report(setting, text, fatal=fatal, kind="unknown")

    def _move(self, config: Config, target: str, raw: Any, setting: str) -> None:
        section, name = target.split(".")
        if name == "admin_users":
            self._add_administrators(raw, setting)
            return
        own = config if section in HUB_SECTIONS else self.plugins
        if name not in own.get(section, {}):
            own[section][name] = raw
            if own is config:
                self.written[target] = raw
            self.locations[target] = self.locations.get(setting, "")

    def _add_administrators(self, raw: Any, setting: str) -> None:
        """Let `c.JupyterHub.admin_users` count beside what authenticators' own sections say."""
        names = raw.get_value(set()) if isinstance(raw, LazyConfigValue) else raw
        if not isinstance(names, set | list | tuple) or not all(isinstance(name, str) for name in names):
            self.report(setting, "it must be a set of user names, such as {'ada'}", fatal=True)
            return
        for section in {"Authenticator", *(s for s in self.plugins if s.endswith("Authenticator"))}:
            own = self.plugins[section]
            if section != "Authenticator" and "admin_users" not in own:
                continue
            present = own.get("admin_users", set())
            if isinstance(present, LazyConfigValue):
                present.update(set(names))
            elif isinstance(present, set | list | tuple):
                own.admin_users = {*present, *names}
            self.locations.setdefault(f"{section}.admin_users", self.locations.get(setting, ""))

    def read_layers(self) -> None:
        """Read the hub's settings: of the file first, then of the command line, which wins."""
        for config in self.layers():
            entries = sorted(_hub_entries(config), key=lambda entry: HUB_SECTIONS.index(entry[0]))
            layer = {name: (raw, f"{section}.{name}") for section, name, raw in entries}
            for name, (raw, setting) in layer.items():
                if name in setting_fields():
                    self.put(name, raw, setting)
            self._read_tornado(layer)
            if self.values.get("hub_routespec"):
                self.values["hub_routespec"] = normal_base(self.values["hub_routespec"])
            host = self.values.get("subdomain_host", "")
            if host and "://" not in host:
                self.values["subdomain_host"] = f"https://{host}"
            found, problems = split_addresses(layer)
            self.values |= found
            for setting, text, fatal in problems:
                self.report(setting, text, fatal=fatal)

    def put(self, name: str, raw: Any, setting: str) -> None:
        """Read one setting, or report why its value cannot be."""
        default = self.values.get(name, getattr(Settings(), name))
        try:
            self.values[name] = read_value(setting_fields()[name], default, raw)
        except Unfit as error:
            self.report(setting, str(error), fatal=True)

    def _read_tornado(self, layer: Mapping[str, tuple[Any, str]]) -> None:
        raw, setting = layer.get("tornado_settings", ({}, ""))
        given = raw.get_value({}) if isinstance(raw, LazyConfigValue) else raw
        if not isinstance(given, dict):
            return
        for name, value in given.items():
            if name in {"slow_spawn_timeout", "slow_stop_timeout"}:
                self.put(name, value, setting)

    def finish(self) -> Settings:
        """Return the settings as far as they could be read."""
        path = self.file.path
        if self.values.get("bind_url", "").startswith("https:") and not self.values.get("ssl_cert"):
            text = "it says https, and plain HTTP is served: set ssl_key and ssl_cert"
            self.report("JupyterHub.bind_url", text, fatal=False)
        if "db_url" in self.values and "://" not in self.values["db_url"]:
            self.values["db_url"] = f"sqlite:///{self.values['db_url']}"
        return Settings(
            **{**self.values, **join_addresses(Settings(**self.values))},
            directory=self.cwd,
            config_file=short(path, self.cwd) if path else "",
            plugins=self.plugins,
            written=self.written,
            locations=self.locations,
        )

    def attempt_secret(self, settings: Settings) -> None:
        """Report a cookie secret file that cannot be used, without making one."""
        try:
            read_secret_file(settings)
        except BadConfig as error:
            self.problems += error.problems


def _hub_entries(config: Config) -> list[tuple[str, str, Any]]:
    return [entry for entry in _entries(config) if entry[0] in HUB_SECTIONS]


def _entries(config: Config) -> list[tuple[str, str, Any]]:
    """Return section, name and value of all that was set; what was only looked at is left out."""
    return [
        (section, name, raw)
        for section, values in config.items()
        if isinstance(values, Config)
        for name, raw in values.items()
        if was_set(raw)
    ]
