"""The form of profiles: cards to choose from, each with the fields of its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from carrel.core.context import HubContext
from carrel.core.profiles import last_choice, open_profiles
from carrel.core.runs import Owner
from carrel.core.servers import find_server
from carrel.domain.errors import CarrelError, Invalid
from carrel.domain.profile_options import LONGEST, OTHER, UNLISTED, Option, shown
from carrel.domain.profiles import OPTIONS, PROFILE, Profile, default_of, limits_of, select
from carrel.domain.users import User
from carrel.http.pages import Pages
from carrel.web.options_form import Fields

_END = f"--{UNLISTED}"


@dataclass(frozen=True, slots=True)
class Field:
    """One option on the page."""

    id: str
    name: str
    option: Option
    value: Any
    """What stands in it: a text, or True and False for a switch."""
    other: str
    """What stands in the text beside the choices."""
    problem: str = ""

    @property
    def rule(self) -> Any:
        """What it takes."""
        return self.option.rule


@dataclass(frozen=True, slots=True)
class Card:
    """One profile on the page."""

    id: str
    profile: Profile
    chosen: bool
    limits: Sequence[str]
    fields: Sequence[Field]


class ProfilesForm:
    """The profiles that the owner of a server may choose, with what was chosen the last time."""

    def __init__(
        self,
        profiles: Sequence[Profile],
        last: Mapping[str, Any],
        owner: str,
        pages: Pages,
        request: Request,
    ) -> None:
        self._profiles = profiles
        self._last = last
        self._owner = owner
        self._pages = pages
        self._request = request

    @property
    def asks(self) -> bool:
        """There are several profiles, or options."""
        return len(self._profiles) > 1 or any(profile.options for profile in self._profiles)

    async def of_nothing(self) -> Mapping[str, Any]:
        """Return the only profile there is; raise Invalid when there is none."""
        return select(self._profiles, {}).user_options

    async def of_link(self, fields: Fields) -> Mapping[str, Any]:
        """Return what `profile` and `opt-NAME` of a link mean."""
        options: dict[str, Any] = {}
        wanted: dict[str, Any] = {OPTIONS: options}
        profile = self._profile_of(fields)
        for name, values in fields.items():
            if name == PROFILE:
                wanted[PROFILE] = _single(name, values)
            elif name.endswith(_END):
                options[name.removesuffix(_END)] = {OTHER: _single(name, values)}
            else:
                option = profile.option(name) if profile else None
                text = _single(name, values)
                options.setdefault(name, option.rule.parse(text) if option else text)
        return select(self._profiles, wanted).user_options

    async def of_form(self, fields: Fields) -> Mapping[str, Any]:
        """Return what a form means; a box of the chosen profile that was not sent is off."""
        known = {PROFILE} | {
            name
            for profile in self._profiles
            for option in profile.options
            for name in (field_name(profile, option), field_name(profile, option) + _END)
        }
        for name in fields:
            if name not in known:
                raise Invalid(f"{shown(name)}: there is no such field", field=name[:80])
        wanted: dict[str, Any] = {}
        if PROFILE in fields:
            wanted[PROFILE] = _single(PROFILE, fields[PROFILE])
        profile = self._profile_of(fields)
        if profile is not None:
            wanted[OPTIONS] = {
                option.name: value
                for option in profile.options
                if (value := _sent(fields, field_name(profile, option), option)) is not None
            }
        return select(self._profiles, wanted).user_options

    def _profile_of(self, fields: Fields) -> Profile | None:
        sent = fields.get(PROFILE)
        if not sent:
            return default_of(self._profiles)
        return next((profile for profile in self._profiles if profile.id == sent[0]), None)

    def html(self, fields: Fields | None, *, complete: bool, problem: CarrelError | None) -> str:
        """Return the cards; the chosen one is that of the fields, of the last time, or the default."""
        names = self._pages.variables(self._request, "spawn.html")
        template = self._pages.environment.get_template("templates/_profiles.html")
        given = fields or {}
        if not complete:
            given = {self._form_name(name, given): values for name, values in given.items()}
        cards = self._cards(given, complete=complete, problem=problem)
        return template.render(names, cards=cards, owner=self._owner)

    def _form_name(self, name: str, fields: Fields) -> str:
        """Return what a link's field is called in the form."""
        profile = self._profile_of(fields)
        option = profile.option(name.removesuffix(_END)) if profile and name != PROFILE else None
        if profile is None or option is None:
            return name
        return field_name(profile, option) + (_END if name.endswith(_END) else "")

    def told(self, problem: CarrelError | None) -> str:
        """Return what is wrong, with the field's title where it has one."""
        name = problem.field if isinstance(problem, Invalid) else ""
        for profile in self._profiles:
            option = profile.option(name) if name else None
            if option is not None and str(problem).startswith(f"{name}: "):
                return f"{option.label}: {_reason(problem, name)}"
        return str(problem or "")

    def _cards(self, fields: Fields, *, complete: bool, problem: CarrelError | None) -> list[Card]:
        chosen = self._profile_of(fields) if PROFILE in fields else None
        if chosen is None:
            remembered = self._last.get(PROFILE)
            named = [profile for profile in self._profiles if profile.id == remembered]
            chosen = named[0] if named else default_of(self._profiles)
        cards = []
        for number, profile in enumerate(self._profiles):
            is_chosen = profile is chosen
            about = problem if is_chosen else None
            drawn = [
                self._field(
                    f"p{number}-{place}", profile, option, fields if is_chosen else {}, complete, about
                )
                for place, option in enumerate(profile.options)
            ]
            cards.append(Card(f"p{number}", profile, is_chosen, limits_of(profile), drawn))
        return cards

    def _field(
        self,
        dom_id: str,
        profile: Profile,
        option: Option,
        fields: Fields,
        complete: bool,
        problem: CarrelError | None,
    ) -> Field:
        name = field_name(profile, option)
        value, other = self._value(name, profile, option, fields, complete)
        at_fault = isinstance(problem, Invalid) and problem.field == option.name
        said = _reason(problem, option.name) if at_fault else ""
        return Field(dom_id, name, option, value, other, said)

    def _value(
        self, name: str, profile: Profile, option: Option, fields: Fields, complete: bool
    ) -> tuple[Any, str]:
        """Return what stands in a field, and in the text beside its choices."""
        sent = [str(text)[:LONGEST] for text in fields.get(name, ())]
        other = [str(text)[:LONGEST] for text in fields.get(name + _END, ())]
        if option.rule.kind == "switch" and fields and (sent or complete):
            return bool(sent) and option.rule.parse(sent[0]) is True, ""
        if sent or any(other):
            return (sent or [UNLISTED])[0], (other or [""])[0]
        value = self._remembered(profile, option)
        if isinstance(value, Mapping):
            return UNLISTED, str(value.get(OTHER, ""))
        return value, ""

    def _remembered(self, profile: Profile, option: Option) -> Any:
        last = self._last.get(OPTIONS) if self._last.get(PROFILE) == profile.id else None
        value = last.get(option.name, option.rule.default) if isinstance(last, Mapping) else None
        try:
            return option.rule.check(value)
        except ValueError:
            return option.rule.default


def field_name(profile: Profile, option: Option) -> str:
    """Return what a field is called, as in KubeSpawner's forms."""
    return f"profile-option-{profile.id}--{option.name}"


def _reason(problem: CarrelError | None, name: str) -> str:
    """Return what is wrong without the name of the field, as a sentence."""
    text = str(problem).removeprefix(f"{name}: ")
    return f"{text[:1].upper()}{text[1:]}."


def _sent(fields: Fields, name: str, option: Option) -> Any:
    """Return what a form sent for an option, None when it sent nothing."""
    switch = option.rule.kind == "switch"
    text = _single(option.name, fields[name]) if name in fields else None
    if text == UNLISTED and name + _END in fields:
        return {OTHER: _single(option.name, fields[name + _END])}
    if text is None:
        return False if switch else None
    return option.rule.parse(text)


def _single(name: str, values: Sequence[Any]) -> str:
    if len(values) != 1 or not isinstance(values[0], str):
        raise Invalid(f"{shown(name)}: it must be given once, as a text", field=name[:80])
    return values[0]


async def profiles_form(
    hub: HubContext, request: Request, pages: Pages, owner: User, server_name: str
) -> ProfilesForm:
    """Return the form of the profiles that `owner` may choose; raise Unavailable when they cannot be had."""
    async with hub.store.read() as tx:
        groups = await tx.groups.of_user(owner.id)
    profiles = await open_profiles(hub, Owner(owner, groups))
    server = await find_server(hub, owner.name, server_name)
    return ProfilesForm(profiles, last_choice(server), owner.name, pages, request)
