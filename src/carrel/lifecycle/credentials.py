"""What a run may do at the hub: its API token, and the OAuth client whose secret that token is."""

from __future__ import annotations

from carrel.core.context import HubContext
from carrel.core.oauth import client_of_server
from carrel.core.servers import server_path
from carrel.core.tokens import new_record
from carrel.domain.events import ClientEnded, RightsChanged
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.lib.ids import digest, token_prefix
from carrel.lifecycle.server_scopes import Grants, grants_of
from carrel.spawners.base import Spawner
from carrel.spawners.errors import StartError
from carrel.storage.base import Transaction

#: Shorter ones could be guessed; JupyterHub's have 32 characters.
_SHORTEST_TOKEN = 32


async def give(
    ctx: HubContext, tx: Transaction, row: Server, rights: tuple[User, Grants], driver: Spawner
) -> None:
    """Store the token that `driver` has as that of the run that `row` is in, in the place of any other.

    `rights` are whose token it is and what it, and visitors' tokens, may do.
    """
    owner, grants = rights
    await tx.tokens.delete_of_server(row.id)
    note = f"Server at {server_path(ctx, row)}"
    record = new_record(
        owner, driver.api_token, grants.token, now=ctx.clock.now(), note=note, server_id=row.id
    )
    token = await tx.tokens.add(record)
    client = client_of_server(row, ctx.hosts, token.hashed, grants.visitors)
    await tx.oauth.put_client(client)


async def adopt(ctx: HubContext, tx: Transaction, row: Server, driver: Spawner) -> None:
    """Let the token that a driver found in what it resumed be the run's: a container keeps its environment.

    The one that was made for this start ends. Raises StartError for a token that is somebody else's, or that
    could be guessed.
    """
    secret = driver.api_token
    if not isinstance(secret, str) or len(secret) < _SHORTEST_TOKEN:
        raise StartError("What was resumed has no usable API token.", hint=_HINT)
    await tx.tokens.delete_of_server(row.id)
    if await tx.tokens.find(token_prefix(secret), digest(secret)) is not None:
        raise StartError("What was resumed has an API token that belongs to something else.", hint=_HINT)
    owner = await tx.users.get_by_id(row.user_id)
    if owner is None:
        raise StartError("The owner of the server is gone.")
    await give(ctx, tx, row, (owner, await grants_of(ctx, tx, row, driver, {})), driver)
    tx.announce(RightsChanged(row.user_id))
    tx.announce(ClientEnded(driver.oauth_client_id))


_HINT = "An administrator has to remove what was left of the earlier server, such as its container."
