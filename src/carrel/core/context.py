"""What every use case is handed: the hub's parts, chosen once by the composition root."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from carrel.authenticators.base import Authenticator
from carrel.config.addresses import hosts_of
from carrel.config.profiles import ProfileSource
from carrel.config.schema import Settings
from carrel.core.activity import Activity
from carrel.core.cache import CallerCache
from carrel.core.live import LiveDrivers
from carrel.core.peers import Peers
from carrel.core.refreshes import Refreshes
from carrel.domain.hosts import Hosts
from carrel.domain.scope_catalog import BUILT_IN, Catalog
from carrel.events.bus import Bus
from carrel.events.metrics import Metrics
from carrel.events.progress import ProgressLog
from carrel.lib.clock import Clock
from carrel.lib.sealing import Sealer
from carrel.lib.turns import Turns
from carrel.proxy.base import Proxy
from carrel.spawners.base import Spawner
from carrel.spawners.classes import SpawnerClasses
from carrel.spawners.shared import Shared
from carrel.spawners.views import HubView
from carrel.storage.base import Store


@dataclass(frozen=True, slots=True)
class HubContext:
    """The hub's parts. Nothing in here is replaced while the hub runs."""

    settings: Settings
    store: Store
    bus: Bus
    progress: ProgressLog
    clock: Clock
    authenticator: Authenticator
    spawners: SpawnerClasses
    proxy: Proxy
    hub: HubView
    callers: CallerCache
    activity: Activity
    live: LiveDrivers = field(default_factory=LiveDrivers)
    shared: Shared = field(default_factory=Shared)
    """What all drivers have in common."""
    refreshes: Refreshes = field(default_factory=Refreshes)
    peers: Peers = field(default_factory=Peers)
    metrics: Metrics = field(default_factory=Metrics)
    pages: Turns = field(default_factory=Turns)
    """Who wants a page of a long list waits here for their turn."""
    chance: Callable[[], float] = random.random
    """Returns numbers from 0 to 1, for what is spread over time and for nothing secret."""
    sealer: Sealer = field(default_factory=Sealer)
    """Encrypts what authenticators keep about users."""
    catalog: Catalog = BUILT_IN
    """The scopes that exist, the configuration's own among them."""

    profiles: ProfileSource = field(default_factory=ProfileSource)
    """What people choose between before a start."""

    @property
    def spawner_class(self) -> type[Spawner]:
        """Return the class of servers without a profile that names another one."""
        return self.spawners.default

    @property
    def hosts(self) -> Hosts:
        """Return where the public finds the hub, servers and services."""
        return hosts_of(self.settings)
