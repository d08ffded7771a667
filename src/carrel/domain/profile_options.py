"""What a profile lets people choose: one rule for each type of field, and what a choice does to the driver.

Everything is refused that a rule does not let through: values come from forms, links and programs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from carrel.domain.errors import Invalid
from carrel.domain.repositories import RepositoryRules, read_repository, split_text

#: Settings of a driver, by name; a mapping is merged into what the driver has, None in it removes a key.
Overrides = Mapping[str, Any]

#: What a form sends in the place of a choice when the text beside it counts.
UNLISTED = "unlisted-choice"
#: The key of a value that is not among the choices: {"other": text}.
OTHER = "other"
LONGEST = 1000
"""Characters that a text may have, whatever a profile says."""
_SHOWN = 40
#: What stands in templates for the chosen value.
_VALUE = "{value}"
#: Nothing that a shell or a path could take for more than a word; a profile may say otherwise. With dots and
#: slashes alone `/projects/{value}` would be all of /projects.
PLAIN = re.compile(r"(?!-)(?!.* -)(?!.*\.\.)(?![./ ]+$)[\w .,:@/+=-]*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?")
_SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


class Unfit(ValueError):
    """A value that a field does not take; the text says what would be right, beginning with `it must`."""


class Rule(Protocol):
    """What a field takes."""

    @property
    def kind(self) -> str:
        """The type's name in configurations."""

    @property
    def default(self) -> Any:
        """What counts when nothing is said; it may be nothing that `check` lets through."""

    def parse(self, text: str) -> object:
        """Return what a text of a form stands for, to be checked."""

    def check(self, value: object) -> Any:
        """Return a value as it is kept, which JSON can hold; raise Unfit. May be repeated on its result."""

    def overrides(self, value: Any) -> Overrides:
        """Return what a checked value does to the driver."""


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a profile."""

    name: str
    rule: Rule
    title: str = ""
    description: str = ""

    @property
    def label(self) -> str:
        """What people read."""
        return self.title or self.name[:1].upper() + self.name[1:]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    id: str
    title: str = ""
    description: str = ""
    overrides: Overrides = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people read."""
        return self.title or self.id


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What may be named that is not among the choices."""

    pattern: re.Pattern[str]
    """It has to fit the whole value."""
    sets: Overrides
    title: str = "Other"
    description: str = ""
    message: str = ""
    """What is said of a value that does not fit; empty says it in general."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRule:
    """One of a list, or what `unlisted` lets people write in its place."""

    choices: tuple[Choice, ...]
    default: str
    unlisted: Unlisted | None = None
    kind: str = "choice"
    """`choice`, or `image`, which lets nothing through that cannot be an image's name."""

    def parse(self, text: str) -> object:
        """Return the text."""
        return text

    def check(self, value: object) -> Any:
        """Return the id of a choice, or {"other": text}."""
        if isinstance(value, Mapping) and set(value) == {OTHER}:
            return {OTHER: self._other(value[OTHER])}
        if isinstance(value, str) and any(choice.id == value for choice in self.choices):
            return value
        raise Unfit(f"it must be one of {_listed(choice.id for choice in self.choices)}, not {shown(value)}")

    def _other(self, text: object) -> str:
        if self.unlisted is None:
            return str(self.check(text))
        if not isinstance(text, str):
            raise Unfit(f"it must be a text, not {shown(text)}")
        fits = len(text) <= LONGEST and text.isprintable() and self.unlisted.pattern.fullmatch(text)
        if not fits or (self.kind == "image" and not _IMAGE.fullmatch(text)):
            said = self.unlisted.message or "it must be a name that is allowed here"
            raise Unfit(f"{said.rstrip('.')}, not {shown(text)}")
        return text

    def overrides(self, value: Any) -> Overrides:
        """Return those of the choice."""
        if isinstance(value, Mapping):
            return fill_all(self.unlisted.sets, value[OTHER]) if self.unlisted else {}
        return next(choice.overrides for choice in self.choices if choice.id == value)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRule:
    """A number within bounds; whole where bounds, step and default are."""

    least: float
    most: float
    default: float
    step: float | None = None
    unit: str = ""
    sets: Overrides = field(default_factory=dict)
    as_text: bool = False
    """The driver's settings want it as a text."""
    kind: ClassVar[str] = "number"

    @property
    def whole(self) -> bool:
        """Only whole numbers will do."""
        return all(isinstance(each, int) for each in (self.least, self.most, self.default, self.step or 1))

    def parse(self, text: str) -> object:
        """Return the number that a text is, or the text when it is none."""
        if not _NUMBER.fullmatch(text.strip()):
            return text
        return float(text) if "." in text else int(text)

    def check(self, value: object) -> Any:
        """Return the number."""
        number = _finite(value)
        if number is None or (self.whole and number != int(number)) or not self.least <= number <= self.most:
            raise Unfit(f"it must be {self.described}, not {shown(value)}")
        steps = (number - self.least) / self.step if self.step else 0
        if abs(steps - round(steps)) > 1e-9 * max(1, abs(steps)):
            raise Unfit(f"it must be {self.described}, not {shown(value)}")
        return int(number) if self.whole or number == int(number) else number

    @property
    def described(self) -> str:
        """What is taken, in words."""
        kind = "a whole number" if self.whole else "a number"
        steps = f" in steps of {plain(self.step)}" if self.step and self.step != 1 else ""
        return f"{kind} from {plain(self.least)} to {plain(self.most)}{steps}"

    def overrides(self, value: Any) -> Overrides:
        """Return what the number is put into."""
        return fill_all(self.sets, plain(value) if self.as_text else value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRule:
    """A line of text that fits a pattern."""

    pattern: re.Pattern[str] = PLAIN
    most: int = 200
    """How many characters it may have."""
    default: str = ""
    placeholder: str = ""
    message: str = ""
    """What is said of a text that does not fit; empty says it in general."""
    sets: Overrides = field(default_factory=dict)
    kind: ClassVar[str] = "text"

    def parse(self, text: str) -> object:
        """Return the text without space around it."""
        return text.strip()

    def check(self, value: object) -> Any:
        """Return the text."""
        if not isinstance(value, str):
            raise Unfit(f"it must be a text, not {shown(value)}")
        if len(value) > self.most:
            raise Unfit(f"it must have {self.most} characters at most, not {len(value)}")
        if not value.isprintable() or not self.pattern.fullmatch(value):
            raise Unfit(f"{self._described(value)}, not {shown(value)}" if value else "it must be given")
        return value

    def _described(self, value: str) -> str:
        if self.message:
            return self.message.rstrip(".")
        if self.pattern is PLAIN:
            return (
                "it must be a line of letters, digits and . , : @ / + = _ - with no - before a word, no .."
                " and not of dots and slashes alone"
            )
        return "it must have the form that is asked for"

    @property
    def required(self) -> bool:
        """Nothing will not do."""
        return not self.pattern.fullmatch("")

    def overrides(self, value: Any) -> Overrides:
        """Return what the text is put into; nothing changes nothing."""
        return fill_all(self.sets, value) if value else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRule:
    """On or off."""

    default: bool = False
    on: Overrides = field(default_factory=dict)
    off: Overrides = field(default_factory=dict)
    kind: ClassVar[str] = "switch"

    def parse(self, text: str) -> object:
        """Return what the text of a box or a link says, or the text when it says neither."""
        return _SWITCH.get(text.strip().lower(), text)

    def check(self, value: object) -> Any:
        """Return True or False."""
        if not isinstance(value, bool):
            raise Unfit(f"it must be true or false, not {shown(value)}")
        return value

    def overrides(self, value: Any) -> Overrides:
        """Return what is set when it is so."""
        return self.on if value else self.off


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRule:
    """A Git repository, as a line `REPO#REF:PATH` or as {repo, ref, path}; it is kept as a line."""

    rules: RepositoryRules
    default: str = ""
    placeholder: str = "https://github.com/OWNER/NAME#BRANCH:PATH"
    sets: Overrides = field(default_factory=dict)
    most: ClassVar[int] = LONGEST
    kind: ClassVar[str] = "repository"

    def parse(self, text: str) -> object:
        """Return the line without space around it."""
        return text.strip()

    def check(self, value: object) -> Any:
        """Return the line; empty for no repository."""
        if not isinstance(value, str | Mapping):
            raise Unfit(f"it must be a repository, not {shown(value)}")
        if value == "":
            return ""
        try:
            return read_repository(split_text(value) if isinstance(value, str) else value, self.rules).text
        except Invalid as error:
            raise Unfit(str(error)) from None

    def overrides(self, value: Any) -> Overrides:
        """Return what the repository is put into; none changes nothing."""
        return fill_all(self.sets, split_text(value)) if value else {}


def fill_all(templates: Overrides, value: Any) -> dict[str, Any]:
    """Return settings with `value` where `{value}` stands in them; alone it keeps its type."""
    return {name: _fill(template, value) for name, template in templates.items()}


def _fill(template: Any, value: Any) -> Any:
    if isinstance(template, Mapping):
        return fill_all(template, value)
    if isinstance(template, list | tuple):
        return [_fill(each, value) for each in template]
    if template == _VALUE:
        return value
    return template.replace(_VALUE, plain(value)) if isinstance(template, str) else template


def plain(value: Any) -> str:
    """Return a value as people write it: 2 and not 2.0."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def shown(value: object) -> str:
    """Return a value for a message: on one line, and short whatever was sent."""
    if isinstance(value, str):
        return ascii(value) if len(value) <= _SHOWN else f"{ascii(value[:_SHOWN])[:-1]}…'"
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**18):
        return {None: "null", True: "true", False: "false"}.get(value, str(value))  # type: ignore[arg-type]
    kinds = {dict: "an object", list: "a list", int: "such a large number"}
    return kinds.get(type(value), "this")


def _listed(ids: Iterator[str]) -> str:
    names = list(ids)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def _finite(value: object) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) >= 10**18:
        return None
    return value if math.isfinite(value) else None
