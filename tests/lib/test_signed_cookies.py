"""Cookies that Tornado signed are read exactly, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.lib.signed_cookies import SignedCookie, read_signed, write_signed

NAME = "jupyterhub-hub-login"
SECRET = bytes(range(32))
VALUE = b"0123456789abcdef" * 2
#: Made by Tornado 6.5: create_signed_value(SECRET, NAME, VALUE, version=2) at 1800000000.
COOKIE = (
    "2|1:0|10:1800000000|20:jupyterhub-hub-login|44:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=|"
    "44bc8b8f30dfd3633cb3854593b121c7bd5a45aaaf4308d170d954c849889d50"
)


def test_one_of_tornado_s_is_read_and_made_again() -> None:
    assert read_signed(COOKIE, NAME, SECRET) == SignedCookie(VALUE, 1_800_000_000)
    assert write_signed(NAME, VALUE, SECRET, 1_800_000_000) == COOKIE


def test_the_secret_and_the_name_must_be_the_right_ones() -> None:
    assert read_signed(COOKIE, NAME, SECRET[::-1]) is None
    assert read_signed(COOKIE, NAME, b"") is None
    # A cookie that the hub signed for another purpose opens nothing here.
    assert read_signed(write_signed("oauth-state", VALUE, SECRET, 1), NAME, SECRET) is None


@given(st.integers(0, len(COOKIE) - 1), st.characters(codec="ascii"))
def test_whatever_is_changed_it_is_not_ours(place: int, character: str) -> None:
    changed = COOKIE[:place] + character + COOKIE[place + 1 :]
    assert (read_signed(changed, NAME, SECRET) is not None) is (changed == COOKIE)


@given(st.text(max_size=200))
def test_garbage_is_nothing(text: str) -> None:
    assert read_signed(text, NAME, SECRET) is None


@pytest.mark.parametrize(
    "head",
    [
        f"2|1:0|9:1800000000|20:{NAME}|4:QUJD|",
        f"2|1:0|10:1800000000|19:{NAME}|4:QUJD|",
        f"2|1:0|10:1800000000|20:{NAME}|8:QUJD|",
        f"2|1:1|10:1800000000|20:{NAME}|4:QUJD|",
        f"1|1:0|10:1800000000|20:{NAME}|4:QUJD|",
        f"2|1:0|10:1800000000|20:{NAME}|3:QUJ|",
    ],
    ids=["time's length", "name's length", "value's length", "key", "version", "no base64"],
)
def test_what_is_signed_and_makes_no_sense_is_nothing(head: str) -> None:
    from carrel.lib.signed_cookies import _signature

    assert read_signed(head + _signature(head, SECRET), NAME, SECRET) is None
