"""Asking the hub itself to end."""

from __future__ import annotations

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.events import ShutdownWanted


def shut_down(
    ctx: HubContext, caller: Caller, *, proxy: bool | None = None, servers: bool | None = None
) -> None:
    """End this hub in a moment, with its data plane and its users' servers as is said.

    None leaves a thing to `cleanup_proxy` and `cleanup_servers`. May be repeated.
    """
    caller.require("shutdown")
    ctx.bus.publish(ShutdownWanted(proxy, servers))
