from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.spawners.kubernetes.names import (
    LateNames,
    escape_slug,
    fill,
    fill_all,
    label_slug,
    namespace_of,
    object_slug,
    pair_slug,
)

# The rules of "Object Names and IDs" and "Labels and Selectors" of the Kubernetes documentation.
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_TEXT = st.one_of(
    st.text(max_size=80),
    st.text("ab-", min_size=1, max_size=70),
    st.text("aA0.-_@ä漢", min_size=1, max_size=70),
)


@given(_TEXT.filter(bool), _TEXT)
def test_any_names_make_valid_names_of_objects(user: str, server: str) -> None:
    for slug in (object_slug(user), pair_slug(user, server)):
        assert len(slug) <= 48
        assert _NAME.fullmatch(slug)


@given(_TEXT)
def test_any_text_makes_a_valid_label(text: str) -> None:
    assert len(label_slug(text)) <= 63
    assert _LABEL.fullmatch(label_slug(text))


@given(st.lists(st.tuples(_TEXT.filter(bool), _TEXT), min_size=2, max_size=20, unique=True))
def test_no_two_servers_have_one_name(pairs: list[tuple[str, str]]) -> None:
    assert len({pair_slug(*pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("user", "server", "slug"),
    [
        ("ada", "", "ada"),
        ("ada", "lab", "ada--lab"),
        # Digests by `printf ada--lab | sha256sum`.
        ("ada--lab", "", "ada-lab---c49f50d0"),
        ("Ada@example.org", "", "ada-example-org---3b518a08"),
    ],
)
def test_names_are_those_of_kubespawner(user: str, server: str, slug: str) -> None:
    assert pair_slug(user, server) == slug


def test_the_names_of_old_can_be_had() -> None:
    assert escape_slug("Ada_ä") == "-41da-5f-c3-a4"
    names = namespace_of("Ada", "x", 7, "default", "escape")
    assert fill("claim-{username}--{servername}", names) == "claim--41da--x"
    assert names["hubnamespace"] == "user"


def test_an_empty_server_name_leaves_no_hyphens() -> None:
    assert (
        fill("jupyter-{username}--{servername}", namespace_of("ada", "", 7, "hub", "safe")) == "jupyter-ada"
    )


@pytest.mark.parametrize("template", ["{username.__class__}", "{userid[0]}", "{nobody}", "{username", "{0}"])
def test_what_no_template_may_say_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(template))):
        fill(template, namespace_of("ada", "", 7, "hub", "safe"))


def test_every_text_in_a_setting_is_filled() -> None:
    names = LateNames({"username": "ada"}, {"pvc_name": lambda: "claim-ada"})
    setting = [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}, "n": 1}]
    filled = fill_all(setting, names)
    assert filled == [{"name": "home", "persistentVolumeClaim": {"claimName": "claim-ada"}, "n": 1}]
