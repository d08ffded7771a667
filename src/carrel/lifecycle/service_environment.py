"""The environment that a service is given: the contract between hub and service, as a pure function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.config.services import ServiceSetting
from carrel.domain.hosts import Hosts
from carrel.domain.services import service_access_scopes, service_prefix
from carrel.lib.ids import digest
from carrel.lib.processes import Account
from carrel.spawners.environment import HUB_LABEL

SERVICE_LABEL = "CARREL_SERVICE"
MARK_LABEL = "CARREL_SERVICE_MARK"
"""Two runs with the same one were started alike, so that one will do in the place of the other."""
OWNER_LABEL = "CARREL_HUB_OWNER"
"""The hub process that started it."""

#: What a service keeps of the hub's own environment.
_KEPT = (
    "PATH",
    "PYTHONPATH",
    "CONDA_ROOT",
    "CONDA_DEFAULT_ENV",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "JUPYTERHUB_SINGLEUSER_APP",
)


@dataclass(frozen=True, slots=True)
class HubFacts:
    """What a service has to know about its hub."""

    hub_id: str
    owner: str
    api_url: str
    base_url: str
    """`/`: what is before `hub/`."""
    hosts: Hosts = field(default_factory=Hosts)
    """Where visitors find the hub and the service."""
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
    cookie_host_prefix: bool = False


def service_environment(
    setting: ServiceSetting, token: str, hub: HubFacts, own: Mapping[str, str], account: Account | None
) -> dict[str, str]:
    """Return the variables of a managed service; `own` are the hub's, of which it keeps a few.

    What the configuration sets wins over the hub's own words, except for where the service is.
    """
    env = {name: own[name] for name in _KEPT if name in own}
    if account is not None:
        env |= {"USER": account.name, "HOME": account.home, "SHELL": account.shell}
    env |= _access(setting, token, hub) | dict(setting.environment)
    env["JUPYTERHUB_SERVICE_NAME"] = setting.name
    if setting.url:
        env["JUPYTERHUB_SERVICE_URL"] = setting.url
        env["JUPYTERHUB_SERVICE_PREFIX"] = service_prefix(hub.base_url, setting.name)
    return env | service_labels(setting, hub) | {OWNER_LABEL: hub.owner}


def service_labels(setting: ServiceSetting, hub: HubFacts) -> dict[str, str]:
    """Return the variables by which a service's process is found again, when it was started like this."""
    how = [setting.command, sorted(setting.environment.items()), setting.user, setting.cwd, setting.url]
    secret = [setting.api_token, setting.client_id, setting.oauth_redirect_uri, hub.api_url, hub.base_url]
    mark = digest(json.dumps([*how, *secret, setting.oauth_client_allowed_scopes]))[:16]
    secret += [
        hub.hosts.origin,
        hub.hosts.of_service(setting.name),
        json.dumps(dict(hub.cookie_options)),
        str(hub.cookie_host_prefix),
    ]
    return {HUB_LABEL: hub.hub_id, SERVICE_LABEL: setting.name, MARK_LABEL: mark}


def _access(setting: ServiceSetting, token: str, hub: HubFacts) -> dict[str, str]:
    hosts = hub.hosts
    public, own = hosts.origin, hosts.of_service(setting.name)
    prefix = service_prefix(hub.base_url, setting.name)
    scopes = json.dumps(service_access_scopes(setting.name))
    return {
        "JUPYTERHUB_API_TOKEN": token,
        "JPY_API_TOKEN": token,
        "JUPYTERHUB_CLIENT_ID": setting.client_id or f"service-{setting.name}",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": setting.oauth_redirect_uri or f"{own}{prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": json.dumps(setting.oauth_client_allowed_scopes),
        "JUPYTERHUB_COOKIE_OPTIONS": json.dumps(dict(hub.cookie_options)),
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1" if hub.cookie_host_prefix else "0",
        "JUPYTERHUB_HOST": public,
        "JUPYTERHUB_USER": setting.user,
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_API_URL": hub.api_url,
        "JUPYTERHUB_BASE_URL": hub.base_url,
        "JUPYTERHUB_PUBLIC_URL": f"{own or public}{prefix}" if public and setting.url else "",
        "JUPYTERHUB_PUBLIC_HUB_URL": f"{public}{hub.base_url}hub/" if public else "",
    }
