"""Hub auth: lets people in to a server or service whom the hub lets in.

`HubAuth` decides; `carrel_client.asgi`, `.tornado`, `.wsgi` and `.flask` bring it requests.
"""

from __future__ import annotations

from carrel_client.auth.access import may_enter
from carrel_client.auth.environment import EnvironmentProblem, HubSettings, read_settings
from carrel_client.auth.exchange import Answer, Request
from carrel_client.auth.gate import Admitted, HubAuth
from carrel_client.auth.hub import HubRefused, HubUnreachable, Visitor

__all__ = [
    "Admitted",
    "Answer",
    "EnvironmentProblem",
    "HubAuth",
    "HubRefused",
    "HubSettings",
    "HubUnreachable",
    "Request",
    "Visitor",
    "may_enter",
    "read_settings",
]
