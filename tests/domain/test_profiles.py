"""Choosing a profile: nothing gets through that its options do not take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.errors import Invalid
from carrel.domain.profile_options import (
    Choice,
    ChoiceRule,
    NumberRule,
    Option,
    RepositoryRule,
    Rule,
    SwitchRule,
    TextRule,
    Unfit,
    Unlisted,
)
from carrel.domain.profiles import Profile, Selection, limits_of, select
from carrel.domain.repositories import RepositoryRules

IMAGES = ChoiceRule(
    kind="image",
    default="base",
    choices=(Choice("base"), Choice("lab:2", overrides={"image": "lab:2"})),
    unlisted=Unlisted(re.compile(r"quay\.io/.+"), {"image": "{value}"}),
)
SIZES = ChoiceRule(default="s", choices=(Choice("s"), Choice("l", overrides={"mem_limit": "8G"})))
MEMORY = NumberRule(least=1, most=16, default=2, sets={"mem_limit": "{value}G"})
CPUS = NumberRule(least=0.5, most=4.0, default=1.0, step=0.5, sets={"cpu_limit": "{value}"})
WORD = TextRule(sets={"environment": {"WORD": "{value}"}})
CODE = TextRule(pattern=re.compile(r"[a-z]{2}-\d+"), most=20, sets={"args": ["--code={value}"]})
COURSE = RepositoryRule(rules=RepositoryRules(("git.example/class",)), sets={"repository": "{value}"})
GPU = SwitchRule(on={"environment": {"GPU": "1"}})
RULES: dict[str, Rule] = {
    "image": IMAGES,
    "size": SIZES,
    "memory": MEMORY,
    "cpus": CPUS,
    "word": WORD,
    "course": COURSE,
    "gpu": GPU,
}
METACHARACTERS = set(";&|`$<>(){}[]*?!'\"\\\n\r\t\0~#%^")


class Megabyte(str):
    """Too long to be printed."""

    def __repr__(self) -> str:
        return "a megabyte"


#: What programs may send: every kind of JSON, large and small, and what is no JSON at all.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
) | st.sampled_from(
    [
        Megabyte("x" * 1_000_000),
        10**400,
        -(10**30),
        "../../etc/passwd",
        "$(reboot)",
        "a;b",
        "-rf",
        "base\0",
        "quay.io/x y",
        "quay.io/../x",
        {"other": Megabyte("quay.io/" + "x" * 1_000_000)},
        {"other": ["quay.io/x"]},
        {"other": "quay.io/x", "more": 1},
        {"other": "quay.io/$(id)"},
        {"other": "quay.io/x\n"},
        "https://git.example/class/x#main:a b/c.ipynb",
        "https://git.example/class/x#--upload-pack=id",
        "https://git.example/class/x#main:../../etc/passwd",
        "https://git.example/classified/x",
        "https://evil.example/x#https://git.example/class/x",
        Megabyte("https://git.example/class/" + "x" * 1_000_000),
        {"repo": "https://git.example/class/x", "ref": "main", "path": "a"},
        {"repo": ["https://git.example/class/x"]},
    ]
)


def lab(*options: Option, **details: Any) -> Profile:
    return Profile(id="lab", title="Lab", options=options, **details)


ALL = lab(*(Option(name, rule) for name, rule in RULES.items()))


def chosen_or_refused(wanted: dict[str, Any]) -> tuple[Selection | None, Invalid | None]:
    try:
        return select([ALL], wanted), None
    except Invalid as error:
        return None, error


def is_allowed_image(value: Any) -> bool:
    text = value["other"] if isinstance(value, dict) else value
    return text in ("base", "lab:2") or bool(re.fullmatch(r"quay\.io/[A-Za-z0-9._/:@-]{1,250}", text))


def is_harmless(text: str) -> bool:
    return len(text) <= 200 and not METACHARACTERS & set(text) and " -" not in f" {text}" and ".." not in text


def is_allowed_repository(text: str) -> bool:
    path = text.partition(":")[2].partition(":")[2]
    return text == "" or bool(
        re.fullmatch(r"https://git\.example/class/[A-Za-z0-9._~+@/-]+(#[\w./+@#=,-]*(:.+)?)?", text)
        and ".." not in path.split("/")
        and path.isprintable()
    )


ALLOWED: dict[str, Callable[[Any], bool]] = {
    "image": is_allowed_image,
    "size": lambda value: value in ("s", "l"),
    "memory": lambda value: type(value) is int and 1 <= value <= 16,
    "cpus": lambda value: 0.5 <= value <= 4 and math.isclose(value * 2, round(value * 2)),
    "word": is_harmless,
    "course": is_allowed_repository,
    "gpu": lambda value: value is True or value is False,
}


@pytest.mark.parametrize("name", RULES)
@given(value=VALUES)
def test_a_value_is_taken_as_it_may_be_or_refused_with_its_fields_name(name: str, value: Any) -> None:
    chosen, refused = chosen_or_refused({"profile": "lab", "options": {name: value}})
    if chosen is not None:
        assert ALLOWED[name](chosen.values[name])
        assert select([ALL], chosen.user_options) == chosen, "what is kept is taken again"
    if refused is not None:
        assert refused.field == name
        assert str(refused).startswith(f"{name}: ")
        assert len(str(refused)) < 300


@given(wanted=st.dictionaries(st.sampled_from(["profile", "options"]) | st.text(max_size=10), VALUES))
def test_whatever_is_sent_ends_in_a_selection_or_in_a_fields_name(wanted: dict[str, Any]) -> None:
    chosen, refused = chosen_or_refused(wanted)
    if chosen is not None:
        assert set(wanted) <= {"profile", "options", *RULES, "image--unlisted-choice"}
        assert set(chosen.values) == set(RULES)
    if refused is not None:
        assert refused.field
        assert len(str(refused)) < 400


def test_what_is_left_out_is_as_the_profile_says() -> None:
    chosen = select([lab(Option("size", SIZES), Option("memory", MEMORY), Option("gpu", GPU))], {})
    assert chosen.user_options == {
        "profile": "lab",
        "options": {"size": "s", "memory": 2, "gpu": False},
    }


def test_choices_come_to_settings_in_order() -> None:
    profile = lab(
        Option("size", SIZES),
        Option("cpus", CPUS),
        Option("code", CODE),
        Option("gpu", GPU),
        Option("word", WORD),
        overrides={"mem_limit": "1G"},
    )
    chosen = select([profile], {"size": "l", "cpus": 1.5, "code": "ab-1", "gpu": True})
    assert chosen.overrides == (
        {"mem_limit": "1G"},
        {"mem_limit": "8G"},
        {"cpu_limit": 1.5},
        {"args": ["--code=ab-1"]},
        {"environment": {"GPU": "1"}},
    )


def test_what_is_not_listed_needs_its_pattern() -> None:
    for wanted in (
        {"options": {"image": {"other": "quay.io/a/b:1"}}},
        {"image": "unlisted-choice", "image--unlisted-choice": "quay.io/a/b:1"},
        {"image--unlisted-choice": "quay.io/a/b:1", "image": "unlisted-choice"},
    ):
        assert select([lab(Option("image", IMAGES))], wanted).overrides == ({"image": "quay.io/a/b:1"},)
    with pytest.raises(Invalid, match=r"^image: .*, not 'docker\.io/x'"):
        select([lab(Option("image", IMAGES))], {"image--unlisted-choice": "docker.io/x"})
    with pytest.raises(Invalid, match="one of s, l"):
        select([lab(Option("size", SIZES))], {"size": {"other": "xl"}})


def test_a_repository_is_kept_as_a_line_and_given_to_the_driver_in_parts() -> None:
    parts = {"repo": "https://git.example/class/x", "ref": "main", "path": "a b.ipynb"}
    line = "https://git.example/class/x#main:a b.ipynb"
    for wanted in (parts, line, "HTTPS://GIT.example/class/x/#main:a b.ipynb"):
        chosen = select([lab(Option("course", COURSE))], {"course": wanted})
        assert chosen.values == {"course": line}
        assert chosen.overrides == ({"repository": parts},)
    assert select([lab(Option("course", COURSE))], {}).overrides == ()
    with pytest.raises(Invalid, match=r"^course: .*not among those"):
        select([lab(Option("course", COURSE))], {"course": "https://evil.example/x"})


@pytest.mark.parametrize("text", [".", "/", "./", "//", "/./", " ./ "])
def test_a_text_is_never_the_directory_that_all_others_are_in(text: str) -> None:
    mount = TextRule(sets={"mounts": [{"source": "/projects/{value}", "target": "/project"}]})
    with pytest.raises(Unfit, match="dots and slashes alone"):
        mount.check(text)
    assert mount.check("./a.b/c") == "./a.b/c"


def test_a_text_adds_no_option_to_a_command_line_that_it_is_put_into() -> None:
    comment = TextRule(sets={"req_options": "--comment={value}"})
    chosen = select([lab(Option("comment", comment))], {"comment": "a well-known job"})
    assert chosen.overrides == ({"req_options": "--comment=a well-known job"},)
    for text in ("x --partition=staff", "-x", "x -p staff"):
        with pytest.raises(Invalid, match=r"^comment: .* no - before a word"):
            select([lab(Option("comment", comment))], {"comment": text})


def test_a_text_without_a_default_that_will_do_has_to_be_given() -> None:
    with pytest.raises(Invalid, match="code: it must be given"):
        select([lab(Option("code", CODE))], {})


def test_a_field_is_not_given_in_two_places() -> None:
    with pytest.raises(Invalid, match="size: it is given twice"):
        select([lab(Option("size", SIZES))], {"options": {"size": "s"}, "size": "l"})


@pytest.mark.parametrize(
    ("rules", "open_to"),
    [
        ({}, {"ada", "bea", "cy"}),
        ({"users": frozenset({"ada"})}, {"ada"}),
        ({"groups": frozenset({"class"})}, {"bea"}),
        ({"users": frozenset({"ada"}), "groups": frozenset({"class"})}, {"ada", "bea"}),
        ({"groups": frozenset()}, set()),
    ],
)
def test_a_profile_is_open_to_its_users_and_groups(rules: dict[str, Any], open_to: set[str]) -> None:
    people = {"ada": (), "bea": ("class", "club"), "cy": ("club",)}
    profile = lab(**rules)
    assert {name for name, groups in people.items() if profile.is_open_to(name, groups)} == open_to


def test_the_marked_profile_is_the_default_else_the_first() -> None:
    first, second = Profile(id="a", title="A"), Profile(id="b", title="B")
    assert select([first, second], {}).profile.id == "a"
    assert select([first, Profile(id="c", title="C", default=True)], {}).profile.id == "c"
    with pytest.raises(Invalid, match="none is open"):
        select([], {})
    with pytest.raises(Invalid, match="none that is called 'c'"):
        select([first, second], {"profile": "c"})


def test_limits_are_read_off_the_settings() -> None:
    resources = {"nvidia.com/gpu": "2", "example.org/licence": "1"}
    large = {"mem_limit": "2G", "cpu_limit": 1.0, "extra_resource_limits": resources}
    assert limits_of(lab(overrides=large)) == ("2 GiB of memory", "1 CPU", "2 GPU", "1 licence")
    small = {"mem_limit": 1536 * 2**20, "cpu_limit": 2.5, "devices": {"gpu": 1}}
    assert limits_of(lab(overrides=small)) == ("1.5 GiB of memory", "2.5 CPUs", "1 GPU")
    assert limits_of(lab()) == ()
