from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.spawners.docker.names import (
    check_name,
    escape,
    escape_as_of_old,
    escaping,
    image_slug,
    service_name,
)
from carrel.spawners.errors import StartError


@pytest.mark.parametrize(
    ("name", "safe", "of_old"),
    [
        # As dockerspawner 14 names them: volumes are found again.
        ("ada", "ada", "ada"),
        ("Ada", "-41da", "Ada"),
        ("a.b", "a-2eb", "a_2Eb"),
        ("a-b", "a-2db", "a-b"),
        ("a_b", "a-5fb", "a_5Fb"),
        ("ada@x.org", "ada-40x-2eorg", "ada_40x_2Eorg"),
        ("ädä", "-c3-a4d-c3-a4", "_C3_A4d_C3_A4"),
        ("9x", "9x", "9x"),
    ],
)
def test_names_become_what_dockerspawner_made_of_them(name: str, safe: str, of_old: str) -> None:
    assert escape(name) == safe
    assert escape_as_of_old(name) == of_old
    assert escaping(None)(name) == safe
    assert escaping("legacy")(name) == of_old
    assert escaping(str.upper)(name) == name.upper()


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_two_names_become_the_same(one: str, other: str) -> None:
    one, other = (text.encode("utf-8", "ignore").decode() for text in (one, other))
    assert (escape(one) == escape(other)) is (one == other)
    check_name(f"jupyter-{escape(one)}")


@given(st.text(alphabet="abcXYZ019-_.", min_size=2, max_size=200))
def test_a_services_name_is_short_and_tells_apart(name: str) -> None:
    short = service_name(name)
    assert len(short) <= 63
    assert (short == name) is (len(name) <= 63)
    assert service_name(name + "x") != short


def test_what_no_container_may_be_called_is_refused() -> None:
    for name in ("", "a", "-ada", "a/b", "a b", "ada\n", "ädä"):
        with pytest.raises(StartError, match="cannot be called") as caught:
            check_name(name)
        assert "name_template" in caught.value.hint
    with pytest.raises(StartError, match=r"DockerSpawner\.escape"):
        escaping("fancy")
    assert image_slug("quay.io/jupyter/scipy-notebook:lab-4") == "quay.io-jupyter-scipy-notebook-lab-4"
