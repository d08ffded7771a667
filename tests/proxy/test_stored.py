"""Files that several hubs make, or read, at the same moment; and the token that they share by one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from carrel.proxy.base import ProxyError
from carrel.proxy.embedded import CarrelProxy
from carrel.proxy.stored import keep_first


def test_the_first_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert keep_first(file, b"one") == b"one"
    assert keep_first(file, b"other") == b"one"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_hubs_that_make_their_token_at_once_have_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (CarrelProxy(directory=str(tmp_path), auth_token="") for _ in range(2))
    made = iter(["a" * 64, "b" * 64])

    def token_hex(_: int) -> str:
        mine = next(made)
        if mine.startswith("a"):
            other._token()
        return mine

    monkeypatch.setattr("secrets.token_hex", token_hex)
    assert one._token() == other._token() == "b" * 64


def test_an_empty_token_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "proxy-token").touch()
    with pytest.raises(ProxyError, match="proxy-token is empty: remove it"):
        CarrelProxy(directory=str(tmp_path), auth_token="")._token()
