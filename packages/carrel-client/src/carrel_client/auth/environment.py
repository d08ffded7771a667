"""What the hub tells a server or service through the environment, read once, checked and frozen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_COOKIE_OPTIONS = frozenset({"domain", "expires", "expires_days", "max_age", "path", "samesite", "secure"})
_NUMBERS = frozenset({"expires", "expires_days", "max_age"})


class EnvironmentProblem(Exception):
    """A variable that the hub sets is missing or malformed; the text names it and is fit for a person."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificates of the connections to the hub, when those are encrypted."""

    keyfile: str
    certfile: str
    client_ca: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """How a server or service is known at its hub. Paths and prefixes end with a slash."""

    api_token: str = field(repr=False)
    api_url: str
    client_id: str
    prefix: str = "/"
    base_url: str = "/"
    hub_host: str = ""
    callback_url: str
    access_scopes: frozenset[str]
    cookie_options: Mapping[str, object] = field(default_factory=dict)
    host_prefix_cookies: bool = False
    websocket_cookie_auth: bool = True
    allow_token_in_url: bool = False
    tls: TlsFiles | None = None

    @property
    def hub_prefix(self) -> str:
        """Return the path of the hub's pages, such as `/hub/`."""
        return f"{self.base_url}hub/"

    @property
    def hub_url(self) -> str:
        """Return where a browser finds the hub's pages; host-relative unless the hub has its own host."""
        return f"{self.hub_host}{self.hub_prefix}"

    @property
    def callback_path(self) -> str:
        """Return the path at which the hub sends browsers back."""
        return urlsplit(self.callback_url).path


class Variables:
    """Environment variables and what is right for them; `starter` says who should have set a missing one."""

    def __init__(self, given: Mapping[str, str], starter: str) -> None:
        self._given = given
        self._starter = starter

    def text(self, name: str, default: str = "") -> str:
        """Return the value, or `default` when there is none."""
        return self._given.get(name, default)

    def required(self, name: str) -> str:
        """Return the value. Raises EnvironmentProblem when it is missing or empty."""
        value = self._given.get(name, "")
        if not value:
            raise EnvironmentProblem(f"{name} is not set. {self._starter}")
        return value

    def parsed(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T:
        """Return what `parse` makes of the value, or of a `default`. Raises EnvironmentProblem."""
        text = self.required(name) if default is None else self._given.get(name) or default
        try:
            return parse(text)
        except ValueError as problem:
            raise EnvironmentProblem(f"{name} is malformed: {problem}.") from None

    def flag(self, name: str, default: str = "") -> bool:
        """Return whether the value says yes."""
        return self._given.get(name, default).strip().lower() not in {"", "0", "false", "no", "off"}

    def has(self, name: str) -> bool:
        """Return whether there is such a variable, if an empty one."""
        return name in self._given


_SERVICE = (
    "A hub sets it for the services that it starts. For one that you start, set it to what the hub's "
    "configuration says of the service."
)


def read_settings(variables: Mapping[str, str]) -> HubSettings:
    """Return what `variables` say to a service. Raises EnvironmentProblem for the first one that is wrong.

    The token, the API's URL and the service's name (or its client id) must be there: what else is missing
    follows from them.
    """
    given = Variables(variables, _SERVICE)
    client = given.text("JUPYTERHUB_CLIENT_ID")
    name = given.text("JUPYTERHUB_SERVICE_NAME") or client.removeprefix("service-")
    if not name:
        given.required("JUPYTERHUB_SERVICE_NAME")
    assumed = {
        "JUPYTERHUB_CLIENT_ID": f"service-{name}",
        "JUPYTERHUB_SERVICE_PREFIX": f"{directory(given.text('JUPYTERHUB_BASE_URL'))}services/{name}/",
    }
    if not scopes_variable(given):
        assumed["JUPYTERHUB_OAUTH_ACCESS_SCOPES"] = json.dumps([f"access:services!service={name}"])
    told = {key: value for key, value in variables.items() if value}
    return hub_settings(Variables({**assumed, **told}, _SERVICE))


def hub_settings(given: Variables) -> HubSettings:
    """Return what every server and service is told. Raises EnvironmentProblem for the first wrong one."""
    prefix = directory(given.required("JUPYTERHUB_SERVICE_PREFIX"))
    scopes = scopes_variable(given) or "JUPYTERHUB_OAUTH_ACCESS_SCOPES"
    return HubSettings(
        api_token=given.required("JUPYTERHUB_API_TOKEN"),
        api_url=given.required("JUPYTERHUB_API_URL").rstrip("/"),
        client_id=given.required("JUPYTERHUB_CLIENT_ID"),
        prefix=prefix,
        base_url=directory(given.text("JUPYTERHUB_BASE_URL", "/")),
        hub_host=given.text("JUPYTERHUB_HOST").rstrip("/"),
        callback_url=given.text("JUPYTERHUB_OAUTH_CALLBACK_URL") or f"{prefix}oauth_callback",
        access_scopes=given.parsed(scopes, _scopes, default="[]"),
        cookie_options=given.parsed("JUPYTERHUB_COOKIE_OPTIONS", _cookies, default="{}"),
        host_prefix_cookies=given.flag("JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"),
        websocket_cookie_auth=given.flag("JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH", default="1"),
        allow_token_in_url=given.flag("JUPYTERHUB_ALLOW_TOKEN_IN_URL"),
        tls=_tls(given),
    )


def scopes_variable(given: Variables) -> str:
    """Return the name of the variable with the access scopes, today's or that of 2.x; '' without either."""
    names = ("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_OAUTH_SCOPES")
    return next((name for name in names if given.has(name)), "")


def directory(path: str) -> str:
    """Return a URL's path with one slash at either end."""
    trimmed = path.strip("/")
    return f"/{trimmed}/" if trimmed else "/"


def _scopes(text: str) -> frozenset[str]:
    scopes = _json(text)
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise ValueError('it should be a JSON list of scopes, such as ["access:servers!user=name"]')
    return frozenset(scopes)


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
    for name in _NUMBERS & lowered.keys():
        if not isinstance(lowered[name], int | float):
            raise ValueError(f"{name} should be a number")
    return lowered


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    return value


def _tls(given: Variables) -> TlsFiles | None:
    names = ("JUPYTERHUB_SSL_KEYFILE", "JUPYTERHUB_SSL_CERTFILE", "JUPYTERHUB_SSL_CLIENT_CA")
    if not any(given.text(name) for name in names):
        return None
    return TlsFiles(*(given.required(name) for name in names))
