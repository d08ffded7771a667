"""What may name a group or a role."""

from __future__ import annotations

import pytest

from carrel.domain.errors import Invalid
from carrel.domain.groups import check_group_name
from carrel.domain.roles import check_role_name


@pytest.mark.parametrize("name", ["a", "/org/team", "Ünïcode group", "g" * 255])
def test_identity_providers_name_groups_as_they_like(name: str) -> None:
    assert check_group_name(name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\x00", "g" * 256])
def test_a_bad_name_of_a_group(name: str) -> None:
    with pytest.raises(Invalid):
        check_group_name(name)


@pytest.mark.parametrize("name", ["abc", "a-b_c.d~1", "r" * 255])
def test_a_name_of_a_role(name: str) -> None:
    assert check_role_name(name) == name


@pytest.mark.parametrize("name", ["", "ab", "Abc", "1bc", "ab-", "a b", "abc\n", "äbc", "r" * 256])
def test_a_bad_name_of_a_role(name: str) -> None:
    with pytest.raises(Invalid):
        check_role_name(name)
