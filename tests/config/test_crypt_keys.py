"""The keys that encrypt what authenticators keep."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from traitlets.config import Config

from carrel.config.schema import BadConfig, Settings
from carrel.config.secrets import crypt_keys

KEY, OTHER = bytes(range(32)), bytes(32)


def _settings(keys: Any = None) -> Settings:
    return Settings(plugins=Config({} if keys is None else {"CryptKeeper": {"keys": keys}}))


@pytest.mark.parametrize(
    "written", [KEY, KEY.hex(), base64.urlsafe_b64encode(KEY).decode(), KEY.hex().encode()]
)
def test_a_key_is_written_in_several_ways(written: Any) -> None:
    assert crypt_keys(_settings([written]), {}, needed=True) == [KEY]


def test_the_environment_holds_several_and_the_configuration_wins() -> None:
    environ = {"JUPYTERHUB_CRYPT_KEY": f"{KEY.hex()}; {OTHER.hex()};"}
    assert crypt_keys(_settings(), environ, needed=True) == [KEY, OTHER]
    assert crypt_keys(_settings([OTHER]), environ, needed=True) == [OTHER]
    assert crypt_keys(_settings(), {}, needed=False) == []


@pytest.mark.parametrize("keys", [["short"], [KEY.hex()[:-1]], ["z" * 64], [5], "text", [b"x" * 31], [None]])
def test_what_is_no_key_is_named_and_not_shown(keys: Any) -> None:
    with pytest.raises(BadConfig, match=r"CryptKeeper\.keys: every key has 32 bytes") as refused:
        crypt_keys(_settings(keys), {}, needed=False)
    assert "short" not in str(refused.value)
    with pytest.raises(BadConfig, match="JUPYTERHUB_CRYPT_KEY: every key"):
        crypt_keys(_settings(), {"JUPYTERHUB_CRYPT_KEY": "short"}, needed=False)


def test_a_key_that_is_needed_is_missed() -> None:
    with pytest.raises(BadConfig, match="enable_auth_state: it takes a key to encrypt with"):
        crypt_keys(_settings(), {}, needed=True)
