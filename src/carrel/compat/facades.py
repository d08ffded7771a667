"""What plug-ins' handlers and authenticators see of the hub, under the names of JupyterHub's objects."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Unicode
from traitlets.config import LoggingConfigurable

from carrel.core.auth_state import load_auth_state, save_auth_state
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.services import Service
from carrel.domain.users import User
from carrel.http.sessions import LOGIN_COOKIE
from carrel.spawners.views import AuthState, GroupView, HubView, UserView


@dataclass(slots=True)
class HubFacade(HubView):
    """Where the hub is, as `handler.hub`."""

    cookie_name: str = LOGIN_COOKIE

    @classmethod
    def of(cls, view: HubView) -> HubFacade:
        """Return the same for handlers as drivers see."""
        return cls(**{each.name: getattr(view, each.name) for each in fields(HubView)})


@dataclass(frozen=True, slots=True)
class NoSpawner:
    """A server that has no spawner, as `user.spawner`."""

    name: str = ""
    active: bool = False
    ready: bool = False
    pending: None = None
    api_token: str = ""


class Spawners(Mapping[str, Any]):
    """The live spawners of one user at this hub, by their servers' names; looked up when first asked for."""

    def __init__(self, ctx: HubContext, user_id: int) -> None:
        self._find = partial(ctx.live.of_user, user_id)

    @cached_property
    def _live(self) -> Mapping[str, Any]:
        return self._find()

    def __getitem__(self, name: str) -> Any:
        return self._live.get(name) or NoSpawner(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._live)

    def __len__(self) -> int:
        return len(self._live)


async def _keep_nothing(state: AuthState) -> None:
    """Nobody to keep it for."""


@dataclass(slots=True)
class UserFacade(UserView):
    """A user, as `handler.current_user` and what `login_user` returns."""

    spawners: Any = field(default_factory=dict)
    keep_auth_state: Callable[[AuthState], Awaitable[None]] = _keep_nothing
    record: User | None = None
    kind: str = "user"

    @property
    def spawner(self) -> Any:
        """Return the default server's spawner."""
        return self.spawners[""]

    @property
    def orm_user(self) -> UserFacade:
        """Return the user: an old way to what is in the database."""
        return self

    async def save_auth_state(self, auth_state: AuthState) -> None:
        """Keep what the authenticator wants to know about the user; raises Invalid where it cannot be."""
        await self.keep_auth_state(auth_state)


def user_facade(ctx: HubContext, user: User, groups: tuple[str, ...] = ()) -> UserFacade:
    """Return a user for handlers."""
    return UserFacade(
        id=user.id,
        name=user.name,
        base_url=ctx.settings.base_url,
        admin=user.admin,
        groups=tuple(map(GroupView, groups)),
        load_auth_state=partial(load_auth_state, ctx, user),
        keep_auth_state=partial(save_auth_state, ctx, user),
        spawners=Spawners(ctx, user.id),
        record=user,
    )


@dataclass(frozen=True, slots=True)
class ServiceFacade:
    """A service, as `handler.current_user`."""

    name: str
    admin: bool
    kind: str = "service"
    groups: tuple[str, ...] = ()
    spawners: Mapping[str, Any] = field(default_factory=dict)


def person_of(ctx: HubContext, caller: Caller | None) -> UserFacade | ServiceFacade | None:
    """Return who asks, for handlers."""
    if caller is None:
        return None
    if isinstance(caller.owner, Service):
        return ServiceFacade(caller.owner.name, caller.owner.admin)
    return user_facade(ctx, caller.owner, caller.groups)


class HubApp(LoggingConfigurable):
    """The hub as `app`, which plug-ins take for the `parent` of what they configure."""

    base_url = Unicode("/")
    hub_prefix = Unicode("/hub/")
    hub: Any = AnyTrait()
    authenticator: Any = AnyTrait()
    db: Any = AnyTrait()
    tornado_settings: Any = AnyTrait()

    @classmethod
    def of(cls, ctx: HubContext) -> HubApp:
        """Return the hub for plug-ins, with the whole configuration."""
        base_url = ctx.settings.base_url
        return cls(
            config=ctx.settings.plugins,
            log=logging.getLogger("carrel.plugins"),
            base_url=base_url,
            hub_prefix=f"{base_url}hub/",
            hub=HubFacade.of(ctx.hub),
            authenticator=ctx.authenticator,
            db=ctx.authenticator.db,
            tornado_settings=dict(ctx.settings.tornado_settings),
        )


class Silence:
    """Takes measurements that nobody keeps: `statsd`, which handlers of old report to."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Silence:
        return self

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *args: object) -> None:
        """Nothing was begun."""
