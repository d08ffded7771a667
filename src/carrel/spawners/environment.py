"""The environment that every server is given: the contract between hub and server, as a pure function."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carrel.domain.names import escape

HUB_LABEL = "CARREL_HUB_ID"
SERVER_LABEL = "CARREL_SERVER_ID"
GENERATION_LABEL = "CARREL_GENERATION"
PID_LABEL = "CARREL_PID"
"""The pid of the server itself: what it starts inherits all labels, and this one gives it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server has to know about itself and its hub."""

    user_name: str
    server_name: str
    prefix: str
    """The path below which it answers, `/user/NAME/`."""
    listen_url: str
    """Where it listens, scheme to prefix."""
    api_url: str
    hub_base_url: str
    """`/hub/`, with the hub's base URL before it."""
    public_host: str = ""
    """Scheme and host of the hub; empty when unknown."""
    server_host: str = ""
    """Scheme and host of the server, where it has others than the hub."""
    public_url: str = ""
    """Scheme and host that visitors use; empty when unknown."""
    api_token: str = ""
    client_id: str = ""
    access_scopes: Sequence[str] = ()
    allowed_scopes: Sequence[str] = ()
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
    cookie_host_prefix: bool = False
    root_dir: str = ""
    default_url: str = ""
    debug: bool = False
    admin_access: bool = False
    """Tells servers of JupyterHub 1 to let administrators in."""
    disable_user_config: bool = False
    mem_limit: int | None = None
    mem_guarantee: int | None = None
    cpu_limit: float | None = None
    cpu_guarantee: float | None = None
    cert_paths: Mapping[str, str] = field(default_factory=dict)


def server_environment(facts: ServerFacts) -> dict[str, str]:
    """Return the variables of the contract that apply to this server."""
    return _access(facts) | _addresses(facts) | _optional(facts)


def labels(hub_id: str, server_id: int, generation: int) -> dict[str, str]:
    """Return the variables by which a process is found again when no row or checkpoint names it."""
    return {HUB_LABEL: hub_id, SERVER_LABEL: str(server_id), GENERATION_LABEL: str(generation)}


def _access(facts: ServerFacts) -> dict[str, str]:
    scopes = json.dumps(list(facts.access_scopes))
    return {
        "JUPYTERHUB_API_TOKEN": facts.api_token,
        "JPY_API_TOKEN": facts.api_token,
        "JUPYTERHUB_CLIENT_ID": facts.client_id,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{facts.server_host}{facts.prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_SCOPES": scopes,
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": json.dumps(list(facts.allowed_scopes)),
        "JUPYTERHUB_COOKIE_OPTIONS": json.dumps(dict(facts.cookie_options)),
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1" if facts.cookie_host_prefix else "0",
    }


def _addresses(facts: ServerFacts) -> dict[str, str]:
    public = facts.public_url
    own = facts.server_host or public
    return {
        "JUPYTERHUB_USER": facts.user_name,
        "JUPYTERHUB_SERVER_NAME": facts.server_name,
        "JUPYTERHUB_HOST": facts.public_host,
        "JUPYTERHUB_API_URL": facts.api_url,
        "JUPYTERHUB_ACTIVITY_URL": f"{facts.api_url}/users/{escape(facts.user_name)}/activity",
        "JUPYTERHUB_BASE_URL": facts.hub_base_url.removesuffix("hub/"),
        "JUPYTERHUB_SERVICE_PREFIX": facts.prefix,
        "JUPYTERHUB_SERVICE_URL": facts.listen_url,
        "JUPYTERHUB_PUBLIC_URL": f"{own}{facts.prefix}" if own else "",
        "JUPYTERHUB_PUBLIC_HUB_URL": f"{public}{facts.hub_base_url}" if public else "",
    }


def _optional(facts: ServerFacts) -> dict[str, str]:
    values = {
        "JUPYTERHUB_ROOT_DIR": facts.root_dir,
        "JUPYTERHUB_DEFAULT_URL": facts.default_url,
        "JUPYTERHUB_DEBUG": facts.debug,
        "JUPYTERHUB_ADMIN_ACCESS": facts.admin_access,
        "JUPYTERHUB_DISABLE_USER_CONFIG": facts.disable_user_config,
        "JUPYTERHUB_SSL_KEYFILE": facts.cert_paths.get("keyfile"),
        "JUPYTERHUB_SSL_CERTFILE": facts.cert_paths.get("certfile"),
        "JUPYTERHUB_SSL_CLIENT_CA": facts.cert_paths.get("cafile"),
        "MEM_LIMIT": facts.mem_limit,
        "MEM_GUARANTEE": facts.mem_guarantee,
        "CPU_LIMIT": facts.cpu_limit,
        "CPU_GUARANTEE": facts.cpu_guarantee,
    }
    return {key: "1" if value is True else str(value) for key, value in values.items() if value}
