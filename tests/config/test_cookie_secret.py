"""Where the cookie secret comes from, and that it is never shown."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from carrel.config.load import load
from carrel.config.schema import BadConfig, Settings, without_password
from carrel.config.secrets import cookie_secret

SECRET = bytes(range(32))


def settings_in(directory: Path) -> Settings:
    return Settings(directory=directory, cookie_secret_file="secret")


def test_a_setting_wins_over_the_environment_and_the_file(tmp_path: Path) -> None:
    argv = [f"--JupyterHub.cookie_secret={SECRET.hex()}"]
    settings = load(argv, tmp_path, {"JPY_COOKIE_SECRET": "ff" * 32}).settings
    assert cookie_secret(settings) == SECRET
    assert list(tmp_path.iterdir()) == []


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = load([], tmp_path, {"JPY_COOKIE_SECRET": SECRET.hex()}).settings
    assert cookie_secret(settings) == SECRET
    with pytest.raises(BadConfig, match="JPY_COOKIE_SECRET: it must be 32 bytes, or hex text"):
        load([], tmp_path, {"JPY_COOKIE_SECRET": "zz"})


def test_a_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    first = cookie_secret(settings)
    assert len(first) == 32
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert cookie_secret(settings) == first
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_loading_writes_nothing(tmp_path: Path) -> None:
    load([], tmp_path, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [SECRET.hex(), f"  {SECRET.hex()}\n", base64.b64encode(SECRET).decode()])
def test_forms_of_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    (tmp_path / "secret").chmod(0o600)
    assert cookie_secret(settings_in(tmp_path)) == SECRET


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (SECRET.hex(), 0o640, "run `chmod 600 "),
        (SECRET.hex(), 0o604, "run `chmod 600 "),
        ("abcd", 0o600, "holds 2 bytes and needs 32"),
        ("", 0o600, "holds 0 bytes and needs 32"),
        ("not a secret", 0o600, "does not hold hex text"),
        ("ü", 0o600, "does not hold hex text"),
    ],
)
def test_a_file_that_cannot_serve_is_refused(tmp_path: Path, content: str, mode: int, expected: str) -> None:
    path = tmp_path / "jupyterhub_cookie_secret"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(BadConfig, match=expected) as caught:
        load([], tmp_path, {})
    assert str(path) in str(caught.value)
    assert not content or content not in str(caught.value).replace(str(path), "")


def test_a_directory_in_its_place_and_a_missing_directory(tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_cookie_secret").mkdir()
    with pytest.raises(BadConfig, match="cannot be read"):
        load([], tmp_path, {})
    with pytest.raises(BadConfig, match="cannot be written"):
        cookie_secret(Settings(directory=tmp_path, cookie_secret_file="none/secret"))


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    settings = load(
        [f"--JupyterHub.cookie_secret={SECRET.hex()}", "--db=postgresql://ada:hunter2@db/hub",
         "--GitHubOAuthenticator.client_secret=hunter3"],
        tmp_path,
        dict(os.environ),
    ).settings  # fmt: skip
    shown = repr(settings)
    assert "hunter" not in shown
    assert SECRET.hex() not in shown
    assert repr(SECRET) not in shown
    assert "postgresql://ada:***@db/hub" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///x.sqlite", "sqlite:///x.sqlite"),
        ("postgresql://ada@db/hub", "postgresql://ada@db/hub"),
        ("postgresql://ada:p@ss@db:1/hub?x=y", "postgresql://ada:***@db:1/hub?x=y"),
        ("postgresql:///hub?host=/run&password=p", "postgresql:///hub?***"),
        ("postgresql://[broken", "<unreadable URL>"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_a_wrong_secret_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        load(["--JupyterHub.cookie_secret=hunter2-hunter2"], tmp_path, {})
    assert "hunter2" not in str(caught.value)
