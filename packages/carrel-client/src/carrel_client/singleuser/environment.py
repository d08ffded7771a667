"""What the hub tells its server through the environment, read once, checked and frozen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_COOKIE_OPTIONS = frozenset({"domain", "expires", "expires_days", "max_age", "path", "samesite", "secure"})


class EnvironmentProblem(Exception):
    """A variable that the hub sets is missing or malformed; the text names it and is fit for a person."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificates of the connections between hub and server, when those are encrypted."""

    keyfile: str
    certfile: str
    client_ca: str


@dataclass(frozen=True, slots=True)
class HubEnvironment:
    """A server's identity at its hub, and what the hub wants of it. Paths and prefixes end with a slash."""

    api_token: str = field(repr=False)
    api_url: str
    client_id: str
    user: str
    server_name: str
    ip: str
    port: int
    prefix: str
    base_url: str
    hub_host: str
    callback_url: str
    access_scopes: frozenset[str]
    activity_url: str
    activity_interval: float
    root_dir: str
    default_url: str
    debug: bool
    disable_user_config: bool
    allow_token_in_url: bool
    websocket_cookie_auth: bool
    cookie_options: Mapping[str, object]
    host_prefix_cookies: bool
    tls: TlsFiles | None

    @property
    def hub_prefix(self) -> str:
        """Return the path of the hub's pages, such as `/hub/`."""
        return f"{self.base_url}hub/"

    @property
    def hub_url(self) -> str:
        """Return where a browser finds the hub's pages; host-relative unless the hub has its own host."""
        return f"{self.hub_host}{self.hub_prefix}"


def read_environment(variables: Mapping[str, str]) -> HubEnvironment:
    """Return what `variables` say. Raises EnvironmentProblem for the first one missing or malformed."""
    ip, port = _parsed(variables, "JUPYTERHUB_SERVICE_URL", _bind_address)
    prefix = _directory(_required(variables, "JUPYTERHUB_SERVICE_PREFIX"))
    scopes = "JUPYTERHUB_OAUTH_ACCESS_SCOPES"
    if scopes not in variables:
        scopes = "JUPYTERHUB_OAUTH_SCOPES"
    return HubEnvironment(
        api_token=_required(variables, "JUPYTERHUB_API_TOKEN"),
        api_url=_required(variables, "JUPYTERHUB_API_URL").rstrip("/"),
        client_id=_required(variables, "JUPYTERHUB_CLIENT_ID"),
        user=_required(variables, "JUPYTERHUB_USER"),
        server_name=variables.get("JUPYTERHUB_SERVER_NAME", ""),
        ip=ip,
        port=port,
        prefix=prefix,
        base_url=_directory(variables.get("JUPYTERHUB_BASE_URL", "/")),
        hub_host=variables.get("JUPYTERHUB_HOST", "").rstrip("/"),
        callback_url=variables.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or f"{prefix}oauth_callback",
        access_scopes=_parsed(variables, scopes, _scopes, default="[]"),
        activity_url=variables.get("JUPYTERHUB_ACTIVITY_URL", ""),
        activity_interval=_parsed(variables, "JUPYTERHUB_ACTIVITY_INTERVAL", _seconds, default="300"),
        root_dir=variables.get("JUPYTERHUB_ROOT_DIR", ""),
        default_url=variables.get("JUPYTERHUB_DEFAULT_URL", ""),
        debug=_flag(variables, "JUPYTERHUB_DEBUG"),
        disable_user_config=_flag(variables, "JUPYTERHUB_DISABLE_USER_CONFIG"),
        allow_token_in_url=_flag(variables, "JUPYTERHUB_ALLOW_TOKEN_IN_URL"),
        websocket_cookie_auth=_flag(variables, "JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH", default="1"),
        cookie_options=_parsed(variables, "JUPYTERHUB_COOKIE_OPTIONS", _cookies, default="{}"),
        host_prefix_cookies=_flag(variables, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"),
        tls=_tls(variables),
    )


def _required(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "")
    if not value:
        message = (
            f"{name} is not set. This command is started by a hub, which sets it; it does not run alone."
        )
        raise EnvironmentProblem(message)
    return value


def _parsed(
    variables: Mapping[str, str], name: str, parse: Callable[[str], T], default: str | None = None
) -> T:
    text = _required(variables, name) if default is None else variables.get(name) or default
    try:
        return parse(text)
    except ValueError as problem:
        raise EnvironmentProblem(f"{name} is malformed: {problem}.") from None


def _directory(path: str) -> str:
    trimmed = path.strip("/")
    return f"/{trimmed}/" if trimmed else "/"


def _flag(variables: Mapping[str, str], name: str, default: str = "") -> bool:
    return variables.get(name, default).strip().lower() not in {"", "0", "false", "no", "off"}


def _bind_address(text: str) -> tuple[str, int]:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"}:
        raise ValueError("it should look like http://127.0.0.1:8888/user/name/")
    standard = 443 if url.scheme == "https" else 80
    return url.hostname or "", standard if url.port is None else url.port


def _scopes(text: str) -> frozenset[str]:
    scopes = _json(text)
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise ValueError('it should be a JSON list of scopes, such as ["access:servers!user=name"]')
    return frozenset(scopes)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError("it should be a number of seconds, or 0 to report no activity")
    return seconds


def _cookies(text: str) -> Mapping[str, object]:
    options = _json(text)
    if not isinstance(options, dict):
        raise ValueError('it should be a JSON object, such as {"SameSite": "Lax"}')
    lowered = {str(name).lower(): value for name, value in options.items()}
    # The cookie carries a token: it stays out of JavaScript's reach whatever the options say.
    lowered.pop("httponly", None)
    unknown = sorted(set(lowered) - _COOKIE_OPTIONS)
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}, known are {', '.join(sorted(_COOKIE_OPTIONS))}")
    return lowered


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    return value


def _tls(variables: Mapping[str, str]) -> TlsFiles | None:
    names = ("JUPYTERHUB_SSL_KEYFILE", "JUPYTERHUB_SSL_CERTFILE", "JUPYTERHUB_SSL_CLIENT_CA")
    if not any(variables.get(name) for name in names):
        return None
    return TlsFiles(*(_required(variables, name) for name in names))
