"""The profiles that a user may choose before a start."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.profiles import list_profiles
from carrel.domain.profile_options import ChoiceRule, NumberRule, Option, TextRule
from carrel.domain.profiles import Profile, default_of, limits_of
from carrel.http.endpoint import get


class ChoiceModel(Struct):
    """One of the values of a choice."""

    id: str
    title: str
    description: str


class OptionModel(Struct):
    """What may be given below `options`, by this name."""

    name: str
    type: str
    """`choice`, `image`, `number`, `text`, `switch` or `repository`."""
    title: str
    description: str
    default: Any
    choices: list[ChoiceModel] | UnsetType = UNSET
    unlisted: str | UnsetType = UNSET
    """The pattern of what may be given as {"other": text}, in the place of a choice."""
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET
    step: float | UnsetType = UNSET
    unit: str | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    pattern: str | UnsetType = UNSET


class ProfileModel(Struct):
    """A kind of server."""

    id: str
    title: str
    description: str
    default: bool
    """It counts when nothing is said and nothing was chosen before."""
    price: str
    limits: list[str]
    """What a server of it may use, for people."""
    options: list[OptionModel]


@get("/users/{name:str}/profiles", summary="List a user's profiles", scopes=("start:servers",))
async def profiles_of_user(hub: HubContext, caller: Caller, name: str) -> list[ProfileModel]:
    """Return the profiles that the user may choose, in order; none where the hub has none."""
    found = await list_profiles(hub, caller, name)
    default = default_of(found)
    return [_profile_model(profile, default=profile is default) for profile in found]


def _profile_model(profile: Profile, *, default: bool) -> ProfileModel:
    return ProfileModel(
        id=profile.id,
        title=profile.title,
        description=profile.description,
        default=default,
        price=profile.price,
        limits=list(limits_of(profile)),
        options=[_option_model(option) for option in profile.options],
    )


def _option_model(option: Option) -> OptionModel:
    rule = option.rule
    model = OptionModel(option.name, rule.kind, option.label, option.description, rule.default)
    if isinstance(rule, ChoiceRule):
        model.choices = [ChoiceModel(each.id, each.label, each.description) for each in rule.choices]
        model.unlisted = rule.unlisted.pattern.pattern if rule.unlisted else UNSET
    elif isinstance(rule, NumberRule):
        model.min, model.max = rule.least, rule.most
        model.step = UNSET if rule.step is None else rule.step
        model.unit = rule.unit
    elif isinstance(rule, TextRule):
        model.max_length, model.pattern = rule.most, rule.pattern.pattern
    return model
