"""Files that several hubs make, or read, at the same moment; and the token that they share by one."""

from __future__ import annotations

import asyncio
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from carrel.proxy import traefik
from carrel.proxy.base import ProxyError
from carrel.proxy.embedded import CarrelProxy
from carrel.proxy.stored import keep_first, write_atomically
from carrel.proxy.traefik import TraefikProxy


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


class Willing(TraefikProxy):
    """Its Traefik serves whatever stands in the file."""

    async def _serves(self, mark: str) -> bool:
        return True


async def test_a_change_that_was_given_up_does_not_overtake_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gate = threading.Event(), threading.Event()

    def slowly(path: Path, content: bytes) -> None:
        if b"/user/ada/" in content:
            begun.set()
            assert gate.wait(20)
        write_atomically(path, content)

    monkeypatch.setattr(traefik, "write_atomically", slowly)
    proxy = Willing(directory=str(tmp_path), should_start=False)
    setting = asyncio.create_task(proxy.add_route("/user/ada/", "http://127.0.0.1:1", {}))
    assert await asyncio.to_thread(begun.wait, 20)
    setting.cancel()
    removing = asyncio.create_task(proxy.delete_route("/user/ada/"))
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    await asyncio.wait((setting, removing))
    assert setting.cancelled()
    assert msgspec.json.decode((tmp_path / "traefik.routes").read_bytes()) == {}
