"""A hub whose people sign in at a stand-in of some service, and their way there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.plugins.environment import carrel_with_plugins
from tests.plugins.visits import refusal, trial_config, who
from tests.rigs.hub import HubProcess
from tests.rigs.oauth_stand_in import CLIENT_ID, CLIENT_SECRET, OAuthStandIn
from tests.rigs.visitor import Visitor

STATE = "c.Authenticator.enable_auth_state = True\nc.CryptKeeper.keys = ['33' * 32]\n"


def hub_for(
    directory: Path, name: str, config: str, *, environment: Mapping[str, str] | None = None
) -> HubProcess:
    """Return a hub, not started, with the authenticator of that name and these lines of configuration.

    Its client id and secret are among them, unless an environment is given that has them.
    """
    system = carrel_with_plugins()
    system = replace(system, environment={**system.environment, **(environment or {})})
    head = f"c.JupyterHub.authenticator_class = {name!r}\n"
    if environment is None:
        head += f"c.OAuthenticator.client_id = {CLIENT_ID!r}\n"
        head += f"c.OAuthenticator.client_secret = {CLIENT_SECRET!r}\n"
    return HubProcess(system, directory, head + trial_config(directory) + config)


def come_in(hub: HubProcess, service: OAuthStandIn, name: str) -> Visitor:
    """Return a visitor whom the service knows as `name`, and who is signed in at the hub now."""
    service.user = name
    visitor = hub.visitor()
    page = visitor.follow("hub/oauth_login?next=/hub/home")
    assert page.status == 200, refusal(page)
    assert who(visitor), page.text
    return visitor


def stay_out(hub: HubProcess, service: OAuthStandIn, name: str) -> str:
    """Return what the page says on which a visitor ends whom the service knows and the hub does not want."""
    service.user = name
    visitor = hub.visitor()
    page = visitor.follow("hub/oauth_login?next=/hub/home")
    assert page.status == 403, page.text
    assert who(visitor) == ""
    return refusal(page)
