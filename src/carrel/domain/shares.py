"""Shares: what of one server somebody else may do, and codes that invite to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from carrel.domain.errors import Invalid
from carrel.domain.names import full_name
from carrel.domain.scope_catalog import BUILT_IN, Catalog
from carrel.domain.scopes import Scopes, expand, parse
from carrel.lib.clock import Timestamp

#: What is shared when nothing else is said.
DEFAULT_SCOPES = ("access:servers",)
#: How long a code is good, in seconds: when nothing is said, at least, and at most.
DEFAULT_LIFETIME = 86400
SHORTEST_LIFETIME = 60
LONGEST_LIFETIME = 525600 * 60

ReceiverKind = Literal["user", "group"]


@dataclass(frozen=True, slots=True)
class Receiver:
    """With whom a server is shared."""

    kind: ReceiverKind
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class SharedServer:
    """As much of a server as those learn with whom it is shared."""

    id: int
    owner_id: int
    owner: str
    name: str
    ready: bool

    @property
    def full_name(self) -> str:
        """Return `owner/server`."""
        return full_name(self.owner, self.name)


@dataclass(frozen=True, slots=True)
class Share:
    """What one user, or the members of one group, may do with somebody's server."""

    id: int
    server: SharedServer
    receiver: Receiver
    scopes: tuple[str, ...]
    """Their bare names: all are for this server, whatever it and its owner are called today."""
    created: Timestamp


@dataclass(frozen=True, slots=True)
class ShareCode:
    """An invitation that whoever knows the code may exchange for a share; the code itself is not kept."""

    id: int
    server: SharedServer
    scopes: tuple[str, ...]
    created: Timestamp
    expires: Timestamp
    exchange_count: int = 0
    last_exchanged: Timestamp | None = None

    def expired(self, now: Timestamp) -> bool:
        """Tell whether it is no longer good at `now`."""
        return now >= self.expires


def shared_names(written: Iterable[str], server: str, catalog: Catalog = BUILT_IN) -> tuple[str, ...]:
    """Return the bare names of scopes that are to be shared for `server` (`owner/server`), in order.

    Raises Invalid for an unknown scope, and for a filter other than the server's own, which is implied.
    """
    names = set()
    for text in written:
        name, bang, condition = text.partition("!")
        parse(name, catalog)
        if bang and condition != f"server={server}":
            raise Invalid(f"!{condition[:80]} not allowed on sharing {text[:120]}, only !server={server}")
        names.add(name)
    return tuple(sorted(names))


def filtered(names: Iterable[str], server: str) -> list[str]:
    """Return scopes with the filter of `server` (`owner/server`)."""
    return [f"{name}!server={server}" for name in names]


def gives(
    share: Share, held: Scopes, groups: Mapping[str, Collection[str]], catalog: Catalog = BUILT_IN
) -> frozenset[str]:
    """Return the expanded scopes that a share gives now: never more than the server's owner holds.

    `held` is what the owner holds by roles, `groups` tells which groups the owner is in.
    """
    known = [name for name in share.scopes if name in catalog.scopes]
    expanded = expand(filtered(known, share.server.full_name), catalog=catalog)
    return frozenset(scope for scope in expanded if held.covers(scope, groups))
