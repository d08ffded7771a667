"""Scopes of the configuration's own."""

from __future__ import annotations

import pytest

from carrel.domain.custom_scopes import faults, read_custom_scopes
from carrel.domain.errors import Invalid
from carrel.domain.scope_catalog import BUILT_IN
from carrel.domain.scopes import expand, known, parse

DEFINED = {
    "custom:lab:write": {"description": "Write.", "subscopes": ["custom:lab:read", "custom:lab:*"]},
    "custom:lab:read": {"description": "Read."},
    # Each brings the other along.
    "custom:lab:*": {"description": "All.", "subscopes": ["custom:lab:write"]},
}


def test_they_are_expanded_like_others() -> None:
    assert list(faults(DEFINED)) == []
    catalog = BUILT_IN.with_custom(read_custom_scopes(DEFINED))
    assert expand(["custom:lab:*!user"], "ada", catalog=catalog) == {f"{name}!user=ada" for name in DEFINED}
    assert parse("custom:lab:read!server=ada/", catalog).value == "ada/"
    with pytest.raises(Invalid, match="Did you mean 'custom:lab:read'"):
        parse("custom:lab:raed", catalog)
    with pytest.raises(Invalid):
        parse("custom:lab:read")


def test_what_is_not_defined_any_more_is_not_known() -> None:
    assert known(["custom:lab:read!user", "self", "users!user=a", "nonsense"]) == ["self", "users!user=a"]


@pytest.mark.parametrize(
    "name", ["lab:read", "custom:", "custom:-ab", "custom:ab:", "custom:ab-", "custom:aB1"]
)
def test_names_that_cannot_be(name: str) -> None:
    definitions = {name: {"description": "x"}}
    assert [each for each, _ in faults(definitions)] == [name]
    assert read_custom_scopes(definitions) == []
