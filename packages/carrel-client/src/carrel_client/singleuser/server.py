"""What the parts of a single-user server know of the whole."""

from __future__ import annotations

from typing import Protocol

from carrel_client.auth.cookies import Cookies
from carrel_client.auth.flow import Logins
from carrel_client.auth.visitors import Visitors
from carrel_client.singleuser.environment import HubEnvironment


class HubServer(Protocol):
    """What the identity provider and its pages need of the server that they belong to."""

    environment: HubEnvironment
    visitors: Visitors
    cookies: Cookies
    logins: Logins
