"""Secrets at rest."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet

from carrel.lib.sealing import NoKeys, Sealer, Unreadable

OLD, NEW = bytes(32), bytes(range(32))
STATE = {"token": "s3cret", "nested": {"ü": [1, None]}}


def test_what_is_sealed_is_opened_and_cannot_be_read() -> None:
    sealed = Sealer([NEW]).seal(STATE)
    assert "s3cret" not in sealed
    assert Sealer([NEW]).open(sealed) == STATE
    assert sealed != Sealer([NEW]).seal(STATE)


def test_the_first_key_seals_and_all_open() -> None:
    sealed = Sealer([OLD]).seal(STATE)
    both = Sealer([NEW, OLD])
    assert both.open(sealed) == STATE
    again = both.seal(STATE)
    assert Sealer([NEW]).open(again) == STATE
    with pytest.raises(Unreadable):
        Sealer([OLD]).open(again)


@pytest.mark.parametrize("text", ["", "x", "gAAAAA=="])
def test_what_nobody_has_sealed(text: str) -> None:
    with pytest.raises(Unreadable):
        Sealer([NEW]).open(text)


def test_what_was_changed_is_noticed() -> None:
    sealed = Sealer([NEW]).seal(STATE)
    for place in range(12, len(sealed) - 4, 7):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(Unreadable):
            Sealer([NEW]).open(sealed[:place] + other + sealed[place + 1 :])


def test_without_keys_nothing_is_done() -> None:
    sealer = Sealer()
    assert not sealer.has_keys
    for call in (lambda: sealer.seal(STATE), lambda: sealer.open("x")):
        with pytest.raises(NoKeys):
            call()


def test_what_jupyterhub_has_written_is_read() -> None:
    """It seals JSON with Fernet, under the key in URL-safe base64."""
    theirs = Fernet(base64.urlsafe_b64encode(NEW)).encrypt(b'{"token": "s3cret"}').decode()
    assert Sealer([NEW]).open(theirs) == {"token": "s3cret"}
