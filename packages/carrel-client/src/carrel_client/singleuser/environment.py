"""What the hub tells its server through the environment, read once, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from carrel_client.auth.environment import HubSettings, Variables, hub_settings

_STARTER = "This command is started by a hub, which sets it; it does not run alone."


@dataclass(frozen=True, slots=True, kw_only=True)
class HubEnvironment(HubSettings):
    """A server's identity at its hub, and what the hub wants of it."""

    user: str
    server_name: str
    ip: str
    port: int
    activity_url: str
    activity_interval: float
    root_dir: str
    default_url: str
    debug: bool
    disable_user_config: bool


def read_environment(variables: Mapping[str, str]) -> HubEnvironment:
    """Return what `variables` say. Raises EnvironmentProblem for the first one missing or malformed."""
    given = Variables(variables, _STARTER)
    ip, port = given.parsed("JUPYTERHUB_SERVICE_URL", _bind_address)
    settings = hub_settings(given)
    shared: dict[str, Any] = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return HubEnvironment(
        **shared,
        user=given.required("JUPYTERHUB_USER"),
        server_name=given.text("JUPYTERHUB_SERVER_NAME"),
        ip=ip,
        port=port,
        activity_url=given.text("JUPYTERHUB_ACTIVITY_URL"),
        activity_interval=given.parsed("JUPYTERHUB_ACTIVITY_INTERVAL", _seconds, default="300"),
        root_dir=given.text("JUPYTERHUB_ROOT_DIR"),
        default_url=given.text("JUPYTERHUB_DEFAULT_URL"),
        debug=given.flag("JUPYTERHUB_DEBUG"),
        disable_user_config=given.flag("JUPYTERHUB_DISABLE_USER_CONFIG"),
    )


def _bind_address(text: str) -> tuple[str, int]:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"}:
        raise ValueError("it should look like http://127.0.0.1:8888/user/name/")
    standard = 443 if url.scheme == "https" else 80
    return url.hostname or "", standard if url.port is None else url.port


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError("it should be a number of seconds, or 0 to report no activity")
    return seconds
