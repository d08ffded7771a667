"""Lists of profiles that were written for other spawners, entry by entry, put into our own words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from traitlets import Callable as CallableTrait
from traitlets import List, Union
from traitlets.config import Configurable

from carrel.domain.profile_options import PLAIN


class KubeSpawner(Configurable):
    """Stands for KubeSpawner where that is not in use: of its settings the profiles are read."""

    profile_list: Any = Union(
        [List(), CallableTrait()], help="Profiles as KubeSpawner has them, read for the spawner in use."
    ).tag(config=True)


class ProfilesSpawner(Configurable):
    """Stands for WrapSpawner's class where that is not in use: of its settings the profiles are read."""

    profiles: Any = List(help="Profiles as WrapSpawner has them, read for every spawner.").tag(config=True)


#: What our keys are called in KubeSpawner's `profile_list`.
KUBE_NAMES: Mapping[str, str] = {
    "id": "slug",
    "title": "display_name",
    "overrides": "kubespawner_override",
    "sets": "kubespawner_override",
    "options": "profile_options",
    "unlisted": "unlisted_choice",
    "pattern": "validation_regex",
    "message": "validation_message",
}
_OURS = {theirs: ours for ours, theirs in KUBE_NAMES.items() if ours != "sets"}
#: Words beside the list of choices, which say nothing that the others do not.
_LEFT_OUT = ("display_name_in_choices", "description_in_choices")
_FIELDS = 4


def of_kubespawner(entry: object) -> Mapping[str, Any] | None:
    """Return an entry of a `profile_list` in our words, None for what is none."""
    if not isinstance(entry, Mapping):
        return None
    own: dict[str, Any] = _renamed(entry)
    options = own.get("options")
    if isinstance(options, Mapping):
        own["options"] = {name: _option(value) for name, value in options.items()}
    return own


def of_wrapspawner(entry: object) -> Mapping[str, Any] | None:
    """Return an entry of ProfilesSpawner's `profiles` in our words, None for what is none."""
    if not isinstance(entry, list | tuple) or len(entry) != _FIELDS:
        return None
    title, key, spawner, config = entry
    return {"id": key, "title": title, "spawner": spawner, "overrides": config}


def slug(title: object) -> str:
    """Return what a title is called in links and in JSON, as KubeSpawner has it: GPU (large), gpu-large."""
    plain = unicodedata.normalize("NFKD", str(title or "")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _option(option: object) -> object:
    if not isinstance(option, Mapping):
        return option
    own: dict[str, Any] = _renamed(option)
    choices = own.get("choices")
    if isinstance(choices, Mapping):
        own["choices"] = {name: _renamed(value) for name, value in choices.items()}
    unlisted = own.get("unlisted")
    if isinstance(unlisted, Mapping):
        own["unlisted"] = _unlisted(unlisted)
        if not choices and own["unlisted"].get("enabled"):
            # A field of its own: there is nothing to choose from.
            return _text(own, own["unlisted"])
    return own


def _unlisted(given: Mapping[Any, Any]) -> dict[str, Any]:
    own = {"enabled": False, **_renamed(given)}
    own["sets"] = own.pop("overrides", {})
    # Without a pattern KubeSpawner takes everything, a shell's characters among it.
    own.setdefault("pattern", f"{PLAIN.pattern}(?<!^)")
    return {key: value for key, value in own.items() if key not in _LEFT_OUT}


def _text(option: Mapping[str, Any], unlisted: Mapping[str, Any]) -> dict[str, Any]:
    text = {key: unlisted[key] for key in ("pattern", "message", "sets") if key in unlisted}
    title = unlisted.get("title") or option.get("title")
    return {"type": "text", "title": title, "description": option.get("description"), **text}


def _renamed(given: object) -> Any:
    if not isinstance(given, Mapping):
        return given
    return {_OURS.get(key, key): value for key, value in given.items()}
