"""A hub's REST API, typed: `HubApi` for asynchronous programs, `BlockingHubApi` for others.

Each module has the calls about one noun: `await hub.call(users.get("ada"))`, `hub.each(users.find())`.
"""

from __future__ import annotations

from carrel_client.api import groups, hubs, servers, services, shares, tokens, users
from carrel_client.api.blocking import BlockingHubApi
from carrel_client.api.client import HubApi
from carrel_client.api.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HubError,
    HubUnavailable,
    NotFound,
    StartFailed,
    Throttled,
)

__all__ = [
    "BadRequest",
    "BlockingHubApi",
    "Conflict",
    "Forbidden",
    "HubApi",
    "HubError",
    "HubUnavailable",
    "NotFound",
    "StartFailed",
    "Throttled",
    "groups",
    "hubs",
    "servers",
    "services",
    "shares",
    "tokens",
    "users",
]
