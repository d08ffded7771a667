"""What the commands call: run a hub, make a token, stop everything."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress

import uvloop

from carrel.app.build import open_hub
from carrel.app.lifespan import run, run_workers, stop_servers
from carrel.app.pidfile import running_hub
from carrel.app.proxies import runtime_directory
from carrel.config.schema import Settings
from carrel.core.tokens import new_record
from carrel.domain.errors import NotFound
from carrel.lib.ids import new_token
from carrel.lib.process_table import Process, is_alive
from carrel.proxy.base import ProxyError

_HUB_STOP_LIMIT = 120.0


def run_hub(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
    """Run the hub until it is told to stop; `on_ready` is called when the public port answers.

    Returns the exit status. Raises BadConfig, PortInUse, StorageError or ProxyError when it cannot start.
    """
    return uvloop.run(run(settings, on_ready))


def issue_token(settings: Settings, name: str) -> str:
    """Return a new API token of user `name`, with all that the user may do; raise NotFound for nobody."""
    return asyncio.run(_issue_token(settings, name))


async def _issue_token(settings: Settings, name: str) -> str:
    async with open_hub(settings, claim=False) as ctx, ctx.store.write(durable=True) as tx:
        user = await tx.users.get(ctx.authenticator.normalize_username(name))
        if user is None:
            raise NotFound(f"No such user: {name}")
        secret = new_token()
        record = new_record(
            user, secret, ("inherit",), now=ctx.clock.now(), note="Generated on the command line"
        )
        await tx.tokens.add(record)
    return secret


def stop_hub(settings: Settings, everything: bool) -> list[str]:
    """Stop the hub, and with `everything` servers and data plane; return what was done, a line each."""
    done = []
    hub = running_hub(runtime_directory(settings))
    if hub is not None:
        terminate(hub)
        done.append(f"The hub (pid {hub.pid}) has stopped.")
    if everything:
        done += asyncio.run(_stop_everything(settings))
    return done


def terminate(hub: Process) -> None:
    """End a hub and wait until it is gone, as it may be already; raises TimeoutError when it does not go."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(hub.pid)
        try:
            # The handle names whatever had the number when it was opened: look only now whether that is it.
            if not is_alive(hub):
                return
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            if not select.select([handle], [], [], _HUB_STOP_LIMIT)[0]:
                text = f"The hub (pid {hub.pid}) did not stop within {_HUB_STOP_LIMIT:g} seconds"
                raise TimeoutError(text)
        finally:
            os.close(handle)


async def _stop_everything(settings: Settings) -> list[str]:
    """Stand in for the hub that has gone, for as long as it takes to stop what it left running."""
    done = []
    async with open_hub(settings) as ctx:
        async with run_workers(ctx, start_proxy=False):
            count = await stop_servers(ctx)
        if count:
            done.append(f"{count} server{'s' if count > 1 else ''} stopped.")
        try:
            if await ctx.proxy.stop():
                done.append("The data plane has stopped.")
        except ProxyError as error:
            done.append(f"The data plane could not be stopped: {error}")
    return done
