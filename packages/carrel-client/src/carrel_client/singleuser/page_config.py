"""What pages learn of the hub, so that JupyterLab and Notebook show their Hub menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_server.base.handlers import JupyterHandler

from carrel_client.singleuser.environment import HubEnvironment

PageConfig = dict[str, Any]
PageConfigHook = Callable[[JupyterHandler, PageConfig], PageConfig]


def hub_settings(environment: HubEnvironment) -> dict[str, str]:
    """Return the web application's settings by which the front ends see that a hub is there."""
    return {
        "hub_prefix": environment.hub_prefix,
        "hub_host": environment.hub_host,
        "user": environment.user,
    }


def page_config_hook(environment: HubEnvironment, inner: PageConfigHook | None) -> PageConfigHook:
    """Return the hook that adds the hub to every page's configuration, after `inner` if there is one."""

    def add_hub(handler: JupyterHandler, page_config: PageConfig) -> PageConfig:
        if inner is not None:
            page_config = inner(handler, page_config)
        visitor = handler.current_user
        return {
            **page_config,
            "hubUser": visitor.username if visitor else environment.user,
            "hubServerUser": environment.user,
            "hubServerName": environment.server_name,
            "hubPrefix": environment.hub_prefix,
            "hubHost": environment.hub_host,
            "shareUrl": f"{environment.hub_prefix}user-redirect",
            # Pages authenticate by cookie; no token is ever written into one.
            "token": "",
        }

    return add_hub
