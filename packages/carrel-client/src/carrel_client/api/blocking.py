"""The hub's REST API for programs that wait: `HubApi`, run in a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from carrel_client.api.calls import Call, Listing
from carrel_client.api.client import START_SECONDS, STOP_SECONDS, HubApi
from carrel_client.api.models import Progress, Server
from carrel_client.loops import LoopThread

T = TypeVar("T")


class BlockingHubApi:
    """One hub, as the holder of one token; for any thread. `HubApi` says what the methods do."""

    def __init__(self, hub: HubApi) -> None:
        self._hub = hub
        self._loop = LoopThread()

    @classmethod
    def at(cls, api_url: str, token: str) -> BlockingHubApi:
        """Return the hub whose API is at `api_url`, such as `http://127.0.0.1:8081/hub/api`."""
        return cls(HubApi.at(api_url, token))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> BlockingHubApi:
        """Return the hub that has started this service or server. Raises KeyError outside of one."""
        return cls(HubApi.from_environment(variables))

    def __enter__(self) -> BlockingHubApi:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread. May be repeated."""
        self._loop.close()

    def call(self, call: Call[T]) -> T:
        """Return what the hub answers."""
        return self._loop.run(self._hub.call(call))

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Yield everything that a listing has."""
        return self._loop.each(self._hub.each(listing))

    def watch(self, user: str, name: str = "") -> Iterator[Progress]:
        """Yield the steps of the present start."""
        return self._loop.each(self._hub.watch(user, name))

    def start_server(
        self,
        user: str,
        name: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        seconds: float = START_SECONDS,
    ) -> Server:
        """Start a server, wait until it is ready and return it."""
        return self._loop.run(self._hub.start_server(user, name, options, seconds=seconds))

    def stop_server(
        self, user: str, name: str = "", *, remove: bool = False, seconds: float = STOP_SECONDS
    ) -> None:
        """Stop a server and wait until it has stopped."""
        self._loop.run(self._hub.stop_server(user, name, remove=remove, seconds=seconds))
