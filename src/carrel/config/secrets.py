"""Secrets: what signs cookies, and the keys that encrypt what authenticators keep about users."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from carrel.config.schema import BadConfig, Problem, Settings
from carrel.config.values import SECRET_LENGTH
from carrel.lib.sealing import KEY_LENGTH

#: The environment variable that holds the secret as hex text.
SECRET_VARIABLE = "JPY_COOKIE_SECRET"  # noqa: S105 - the name, not the secret

#: The environment variable that holds keys, with semicolons between them.
KEY_VARIABLE = "JUPYTERHUB_CRYPT_KEY"
_KEY_SETTING = "CryptKeeper.keys"
_BASE64_LENGTH = 44
_REMEDY = "write it with `openssl rand -hex 32`"


def own_secret(settings: Settings) -> tuple[bytes, bool]:
    """Return the secret that this hub has by itself, empty when none, and whether the configuration says so.

    A file that exists though nobody named it is not configured: hubs that share a database may each have one.
    Raises BadConfig for a file that cannot be used.
    """
    if settings.cookie_secret:
        return settings.cookie_secret, True
    if "JupyterHub.cookie_secret_file" in settings.locations:
        return cookie_secret(settings), True
    return read_secret_file(settings), False


def cookie_secret(settings: Settings) -> bytes:
    """Return the secret that signs cookies; make its file when there is none yet.

    May be repeated and returns the same bytes. Raises BadConfig for a file that others may read, that
    holds no secret, or that cannot be read or written.
    """
    if settings.cookie_secret:
        return settings.cookie_secret
    path = settings.resolve(settings.cookie_secret_file)
    try:
        return _make(path)
    except FileExistsError:
        return read_secret_file(settings)
    except OSError as error:
        raise _bad(settings, f"{path} cannot be written ({error.strerror}): name a file that can") from None


def read_secret_file(settings: Settings) -> bytes:
    """Return the secret of the file, or empty bytes when there is no file; raise BadConfig as above."""
    path = settings.resolve(settings.cookie_secret_file)
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(64 * 1024)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _bad(
            settings, f"{path} cannot be read ({error.strerror}): it must be a file of the hub's user"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _bad(settings, f"{path} may be read or written by others: run `chmod 600 {path}`")
    try:
        secret = _decode(content.decode("ascii").strip())
    except ValueError:
        raise _bad(settings, f"{path} does not hold hex text: {_REMEDY}") from None
    if len(secret) < SECRET_LENGTH:
        text = f"{path} holds {len(secret)} bytes and needs {SECRET_LENGTH}: {_REMEDY}"
        raise _bad(settings, text)
    return secret


def crypt_keys(settings: Settings, environ: Mapping[str, str], *, needed: bool) -> list[bytes]:
    """Return the keys for secrets in the database, of the configuration or environment; the first encrypts.

    Each is 32 bytes, or these as hex or base64 text. Raises BadConfig for one that is not, and when none is
    there though they are `needed`.
    """
    given = settings.plugins.get("CryptKeeper", {}).get("keys")
    name = KEY_VARIABLE if given is None else _KEY_SETTING
    if given is None:
        given = [text for text in environ.get(KEY_VARIABLE, "").split(";") if text.strip()]
    keys = [_read_key(key) for key in (given if isinstance(given, list | tuple) else [None])]
    place = settings.locations.get(name, "")
    if None in keys:
        text = f"every key has 32 bytes, as bytes, hex or base64 text: {_REMEDY}"
        raise BadConfig([Problem(name, text, place)])
    if needed and not keys:
        text = f"it takes a key to encrypt with: set {KEY_VARIABLE} or c.{_KEY_SETTING}; {_REMEDY}"
        raise BadConfig([Problem("Authenticator.enable_auth_state", text)])
    return [key for key in keys if key is not None]


def _read_key(key: object) -> bytes | None:
    """Return a key as bytes, None for what is none."""
    raw = key.strip().encode() if isinstance(key, str) else key
    if not isinstance(raw, bytes):
        return None
    with contextlib.suppress(ValueError):
        if len(raw) == 2 * KEY_LENGTH:
            raw = bytes.fromhex(raw.decode())
        elif len(raw) == _BASE64_LENGTH:
            raw = base64.urlsafe_b64decode(raw)
    return raw if len(raw) == KEY_LENGTH else None


def _decode(text: str) -> bytes:
    """Return the bytes of hex text, or of base64 as the first JupyterHubs wrote it; raise ValueError."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return base64.b64decode(text, validate=True)


def _make(path: Path) -> bytes:
    """Write a new secret under its final name in one step, so that a crash leaves no half of it."""
    secret = secrets.token_bytes(SECRET_LENGTH)
    if path.exists():
        raise FileExistsError(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    return secret


def _bad(settings: Settings, text: str) -> BadConfig:
    place = settings.locations.get("JupyterHub.cookie_secret_file", "")
    return BadConfig([Problem("JupyterHub.cookie_secret_file", text, place)])
