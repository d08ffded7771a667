"""Credentials of registries, where `docker login` has put them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carrel.spawners.errors import StartError

_HELPER_LIMIT = 20.0


async def pull_headers(registry: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the header with the credentials for `registry`, none when there are none.

    They are of the hub's account: DOCKER_CONFIG or ~/.docker, `config.json`. Raises StartError when they
    cannot be read.
    """
    directory = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME", "/root"), ".docker"))
    config = _read(Path(directory, "config.json"))
    helper = dict(config.get("credHelpers") or {}).get(registry) or config.get("credsStore")
    found = await _ask(str(helper), registry) if helper else _stored(config, registry)
    if not found:
        return {}
    text = json.dumps({**found, "serveraddress": registry}).encode()
    return {"X-Registry-Auth": base64.urlsafe_b64encode(text).decode()}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise StartError(f"The credentials for registries in {path} cannot be read: {error}.") from error
    return config if isinstance(config, dict) else {}


def _stored(config: Mapping[str, Any], registry: str) -> dict[str, str]:
    entries = config.get("auths") or {}
    entry = next((value for key, value in entries.items() if _host(key) == _host(registry)), None) or {}
    if entry.get("identitytoken"):
        return {"identitytoken": str(entry["identitytoken"])}
    try:
        name, separator, word = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"username": name, "password": word.rstrip("\0")} if separator else {}


def _host(address: str) -> str:
    return address.removeprefix("https://").removeprefix("http://").partition("/")[0]


async def _ask(helper: str, registry: str) -> dict[str, str]:
    """Return what a credential helper says, by its protocol: the registry in, JSON out."""
    command = f"docker-credential-{helper}"
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise StartError(
            f"{command}, which has the credentials for {registry}, cannot be run: {error.strerror}."
        ) from error
    try:
        async with asyncio.timeout(_HELPER_LIMIT):
            output, _ = await process.communicate(registry.encode())
    except TimeoutError:
        raise StartError(f"{command}, which has the credentials for {registry}, does not answer.") from None
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        # It has none for this registry: the image may be public.
        return {}
    said = json.loads(output)
    if said.get("Username") == "<token>":
        return {"identitytoken": str(said["Secret"])}
    return {"username": str(said.get("Username", "")), "password": str(said.get("Secret", ""))}
