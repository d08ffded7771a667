"""All that there is to say of a configuration: in short, setting by setting, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import packages_distributions, version
from typing import Any

from traitlets.config import Config

from carrel.config.chosen import Chosen, default_value, lineage
from carrel.config.conflicts import allow_rules, find_conflicts
from carrel.config.document import default_of
from carrel.config.effects import effect_of_hub, effect_of_trait, enumerate_names
from carrel.config.safety import find_dangers
from carrel.config.schema import KINDS, Problem, printable, setting_fields
from carrel.config.sections import was_set
from carrel.config.showing import show
from carrel.config.watching import WATCHING

FINE, WARNINGS, FATAL = 0, 1, 2
#: What a refused value comes to: its own sentence would tell of something that does not happen.
_WRONG = "nothing, as long as it is wrong"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting that somebody set."""

    setting: str
    """As it is written, without the `c.`: `JupyterHub.port`."""
    value: str
    """Fit to be shown: no secret, and short."""
    default: str
    location: str
    effect: str
    """In a sentence; empty when it has none."""
    marks: tuple[str, ...] = ()
    """Kinds of the problems with it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `carrel check-config` tells."""

    file: str
    summary: Mapping[str, str]
    problems: tuple[Problem, ...]
    """Those that keep the hub from starting first, then by kind and place."""
    entries: tuple[Entry, ...]

    def status(self, *, strict: bool) -> int:
        """Return FATAL when the hub would not start, WARNINGS when `strict` and there are any, else FINE."""
        if any(problem.fatal for problem in self.problems):
            return FATAL
        return WARNINGS if strict and self.problems else FINE

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        verdicts = {FINE: "fine", WARNINGS: "warnings", FATAL: "fatal"}
        return {
            "file": self.file,
            "verdict": verdicts[self.status(strict=True)],
            "summary": dict(self.summary),
            "problems": [asdict(problem) for problem in self.problems],
            "settings": [asdict(entry) for entry in self.entries],
        }


def make_report(chosen: Chosen, problems: Sequence[Problem], *, complete: bool = True) -> Report:
    """Return the report of a configuration with the problems that loading it has found.

    With `complete` false, its classes are not those that it names, so that little can be said of them.
    """
    found = [*problems, *(_unsaid(chosen, problems) if complete else ())]
    order = (*KINDS[3:], "", *KINDS[:3])
    found.sort(key=lambda each: (not each.fatal, order.index(each.kind)))
    return Report(
        file=chosen.settings.config_file,
        summary=dict(_summary(chosen) if complete else _addresses(chosen)),
        problems=tuple(found),
        entries=tuple(_entries(chosen, found)),
    )


def _unsaid(chosen: Chosen, said: Sequence[Problem]) -> Iterator[Problem]:
    """Yield dangers and conflicts of settings that are not refused anyway."""
    refused = {problem.setting for problem in said if problem.fatal}
    yield from (
        each for each in (*find_dangers(chosen), *find_conflicts(chosen)) if each.setting not in refused
    )


def _summary(chosen: Chosen) -> Iterator[tuple[str, str]]:
    yield from _addresses(chosen)
    yield "log-in", _class_text(chosen.authenticator)
    yield "admitted", _admitted(chosen)
    yield "administrators", enumerate_names(chosen.of_authenticator("admin_users") or ())
    yield "servers", _class_text(chosen.spawner)
    yield "data plane", _class_text(chosen.proxy)
    yield "database", printable(chosen.settings)["db_url"].strip("'")
    names = [str(each.get("name")) for each in chosen.settings.services if isinstance(each, Mapping)]
    if names:
        yield "services", enumerate_names(names)


def _addresses(chosen: Chosen) -> Iterator[tuple[str, str]]:
    settings = chosen.settings
    secure = bool(settings.ssl_cert)
    host = settings.ip or "*"
    host = f"[{host}]" if ":" in host else host
    listens = f"{'https' if secure else 'http'}://{host}:{settings.port}{settings.base_url}"
    known = f" (people use {settings.public_url})" if settings.public_url else ""
    yield "public", f"{listens}{known}"


def _class_text(cls: type) -> str:
    package = cls.__module__.partition(".")[0]
    if package == "carrel":
        return cls.__name__
    if package == "builtins":
        return f"{cls.__name__}, which stands in the configuration"
    for distribution in packages_distributions().get(package, ()):
        return f"{cls.__name__} ({distribution} {version(distribution)})"
    return f"{cls.__name__} (module {cls.__module__})"


def _admitted(chosen: Chosen) -> str:
    if "NullAuthenticator" in lineage(chosen.authenticator):
        return "nobody: there is no log-in, only the API"
    rules = allow_rules(chosen)
    if rules.pop("allow_all", False):
        return "everybody who proves who they are"
    parts = []
    if names := rules.pop("allowed_users", None):
        parts.append(enumerate_names(names))
    if rules.pop("allow_existing_users", False):
        parts.append("whoever the hub knows already")
    parts += [f"{name} = {show(name, value)}" for name, value in sorted(rules.items())]
    if chosen.of_authenticator("admin_users"):
        parts.append("administrators")
    return "; ".join(parts) or "nobody"


def _entries(chosen: Chosen, problems: Sequence[Problem]) -> Iterator[Entry]:
    about: dict[str, list[Problem]] = {}
    for problem in problems:
        about.setdefault(problem.setting, []).append(problem)
    for setting, value, default, effect in (*_of_hub(chosen), *_of_classes(chosen)):
        own = about.get(setting, [])
        yield Entry(
            setting=setting,
            value=value,
            default=default,
            location=chosen.settings.locations.get(setting, ""),
            effect=_WRONG
            if any(each.fatal for each in own)
            else _with_doubts(effect, [*own, *about.get(setting.partition(".")[0], [])]),
            marks=tuple(dict.fromkeys(each.kind or ("error" if each.fatal else "warning") for each in own)),
        )


def _with_doubts(effect: str, problems: Sequence[Problem]) -> str:
    """Return an effect with what is said of a setting that has none, or not for long."""
    none = next((each.message for each in problems if each.kind in ("unused", "unknown")), "")
    old = next((each.message for each in problems if each.kind == "deprecated"), "")
    return none or " ".join(filter(None, (effect, f"({old})" if effect and old else old)))


def _of_hub(chosen: Chosen) -> Iterator[tuple[str, str, str, str]]:
    known, shown = setting_fields(), printable(chosen.settings)
    for setting, raw in chosen.settings.written.items():
        name = setting.partition(".")[2]
        if name not in known:
            yield setting, show(name, raw), "", effect_of_hub(name, None, chosen)
            continue
        value = getattr(chosen.settings, name)
        # Addresses of databases have a form of their own.
        text = shown[name] if name == "db_url" else show(name, value)
        yield setting, text, show(name, default_of(known[name])), effect_of_hub(name, value, chosen)


def _of_classes(chosen: Chosen) -> Iterator[tuple[str, str, str, str]]:
    for section, values in sorted(chosen.settings.plugins.items()):
        owners = [cls for cls in chosen.classes if section in lineage(cls)]
        for name, raw in values.items() if isinstance(values, Config) else ():
            if not was_set(raw) or isinstance(raw, Config):
                continue
            setting = f"{section}.{name}"
            owner = next((cls for cls in owners if name in cls.class_traits(config=True)), None)
            if owner is None:
                yield setting, show(name, raw), "", _effect_elsewhere(section, name)
            else:
                value = chosen.value(owner, name)
                default = show(name, default_value(owner, name))
                yield setting, show(name, value), default, effect_of_trait(owner, name, value)


def _effect_elsewhere(section: str, name: str) -> str:
    """Return what a setting comes to that no chosen class has; empty when it has no effect."""
    if (section, name) == ("CryptKeeper", "keys"):
        return "Encrypts what is kept about users."
    watching = WATCHING.get(section)
    return "" if watching is None else effect_of_trait(watching, name, None)
