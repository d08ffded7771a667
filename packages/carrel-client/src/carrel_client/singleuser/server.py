"""What the parts of a single-user server know of the whole."""

from __future__ import annotations

from typing import Protocol

from carrel_client.singleuser.cookies import Cookies
from carrel_client.singleuser.environment import HubEnvironment
from carrel_client.singleuser.hub import HubClient
from carrel_client.singleuser.visitors import Visitors


class HubServer(Protocol):
    """What the identity provider and its pages need of the server that they belong to."""

    environment: HubEnvironment
    hub: HubClient
    visitors: Visitors
    cookies: Cookies
