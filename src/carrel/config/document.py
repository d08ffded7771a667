"""The sample configuration file and the reference page, both written from the schema.

`python -m carrel.config.document` prints the reference page.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, Field
from typing import Any

from traitlets import HasTraits, TraitType

from carrel.config.arguments import SHORT_OPTIONS
from carrel.config.chosen import default_value
from carrel.config.names import AUTHENTICATOR_RENAMED, DEPRECATED, NO_EFFECT, NOT_USED, REFUSED
from carrel.config.schema import PREFIX_VARIABLE, setting_fields
from carrel.config.secrets import SECRET_VARIABLE
from carrel.config.showing import hides
from carrel.config.upstream import HUB_TRAITS, OTHER_SECTIONS, UNUSED_TRAITS

_HEAD = """\
# Configuration of Carrel. Every line below shows a default: remove the # to change it.
# The hub reads this file as jupyterhub_config.py or carrel_config.py in its working directory,
# or wherever `carrel -f FILE` says.

c = get_config()  # noqa
"""


def default_of(field: Field[Any]) -> Any:
    """Return the default of a setting."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def generate_config(classes: Sequence[type[HasTraits]] = ()) -> str:
    """Return a configuration file in which every setting stands as a comment with its help and default.

    `classes` are the traitlets classes (Authenticator, Spawner, …) that get a section of their own.
    """
    blocks = [_HEAD, _banner("JupyterHub: the hub itself")]
    for section, title in (("JupyterHub", ""), ("Carrel", "Carrel: what JupyterHub has not")):
        blocks += [_banner(title)] if title else []
        for name, field in setting_fields().items():
            if section_of(name) == section:
                blocks.append(_entry(section, name, field.metadata["help"], repr(default_of(field))))
    for cls in bases_of(classes):
        blocks.append(_banner(f"{cls.__name__}: {_summary(cls)}"))
        blocks += (
            _entry(cls.__name__, name, trait.help, _default(cls, name)) for name, trait in own_settings(cls)
        )
    return "\n".join(blocks)


def section_of(name: str) -> str:
    """Return where a setting of the hub is best written: JupyterHub warns of names that it does not know."""
    return "JupyterHub" if name in HUB_TRAITS else "Carrel"


def bases_of(classes: Iterable[type[HasTraits]]) -> list[type[HasTraits]]:
    """Return the classes and their bases that have settings of their own, the general before the special."""
    found = dict.fromkeys(
        base for cls in classes for base in reversed(cls.__mro__) if issubclass(base, HasTraits)
    )
    return [base for base in found if any(True for _ in own_settings(base))]


def own_settings(cls: type[HasTraits]) -> Iterator[tuple[str, TraitType[Any, Any]]]:
    """Yield the traits that a class itself lets the configuration set, by name, without old names."""
    for name, trait in sorted(cls.class_own_traits(config=True).items()):
        if name not in AUTHENTICATOR_RENAMED:
            yield name, trait


def _default(cls: type[HasTraits], name: str) -> str:
    value = default_value(cls, name)
    # The default of a token may come from the environment, where it should stay.
    return "..." if value and hides(name) else literal(value)


def literal(value: Any) -> str:
    """Return a value as Python source, and `...` for one that has none."""
    text = repr(value)
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return "set()" if value == set() and isinstance(value, set) else "..."
    return text


def _banner(text: str) -> str:
    return f"# {'-' * 78}\n# {text}\n# {'-' * 78}\n"


def _entry(section: str, name: str, text: str, default: str) -> str:
    wrapped = textwrap.fill(" ".join(text.split()) or name, 98, break_long_words=False)
    lines = textwrap.indent(wrapped, "## ")
    value = " ".join(default.split())
    return f"{lines}\n# c.{section}.{name} = {value}\n"


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0] or "a class of the configuration"


def settings_page() -> str:
    """Return the reference page of the hub's settings, in Markdown."""
    parts = [
        "# Settings of the hub",
        "They stand in `jupyterhub_config.py`, `carrel_config.py` or the file that `carrel -f FILE` names,"
        " as `c.JupyterHub.NAME = VALUE`; `c.Carrel.NAME` is the same and wins over it. On the command line"
        " every setting is `--JupyterHub.NAME=VALUE` and wins over the file. Spawners, authenticators and"
        " proxies have their own sections, under the names of their classes.",
        "This page is generated: `python -m carrel.config.document > docs/reference/settings.md`.",
        _table(("setting", "default", "meaning"), _settings_rows()),
        "## Short options",
        _table(("option", "setting"), ((f"`{option}`", f"`{name}`") for option, name in _options())),
        "## Environment variables",
        _table(
            ("variable", "meaning"),
            [
                (f"`{SECRET_VARIABLE}`", "The cookie secret as hex text, when `cookie_secret` is not set."),
                (
                    f"`{PREFIX_VARIABLE}`",
                    "How metrics' names begin, when `metrics_prefix` is not set.",
                ),
            ],
        ),
        "## Accepted, without effect in this version",
        "Each is read with a warning, and this is what happens instead.",
        _table(("setting", "what happens instead"), _pairs({**NOT_USED, **NO_EFFECT})),
        "Of JupyterHub's classes:",
        _table(("setting", "what happens instead"), _of_classes()),
        "## Refused",
        "Without these, people would be less safe than the configuration says: the hub does not start.",
        _table(("setting", "why"), _pairs(REFUSED)),
        "## Old names",
        "Each works as far as the table says, with a warning.",
        _table(("old name", "now"), _pairs({name: text for name, (_, text) in DEPRECATED.items()})),
        "In the sections of authenticators:",
        _table(("old name", "now"), _pairs({old: f"`{new}`" for old, new in AUTHENTICATOR_RENAMED.items()})),
    ]
    return "\n\n".join(parts) + "\n"


def _of_classes() -> Iterable[tuple[str, str]]:
    for section, names in sorted({**UNUSED_TRAITS, **OTHER_SECTIONS}.items()):
        for name, text in sorted(names.items()):
            if text:
                yield f"`{section}.{name}`", text


def _settings_rows() -> Iterable[tuple[str, str, str]]:
    for name, field in setting_fields().items():
        yield f"`{name}`", f"`{default_of(field)!r}`", field.metadata["help"]


def _options() -> Iterable[tuple[str, str]]:
    return ((option, name) for option, (name, _) in SHORT_OPTIONS.items())


def _pairs(texts: dict[str, str]) -> Iterable[tuple[str, str]]:
    return ((f"`{name}`", text) for name, text in sorted(texts.items()))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(settings_page())
