"""What is stored of a service: its row, its tokens and its OAuth client; and the configuration's services."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from carrel.authenticators.base import Authenticator
from carrel.config.rights import RightsSettings
from carrel.config.schema import BadConfig, Problem
from carrel.config.services import ServiceSetting, ServicesSettings
from carrel.core.oauth import client_of_service, register_client, remove_client
from carrel.core.tokens import new_record
from carrel.domain.errors import Conflict, Invalid
from carrel.domain.events import RightsChanged, ServiceChanged
from carrel.domain.hosts import Hosts
from carrel.domain.names import check_user_name
from carrel.domain.roles import ADMIN
from carrel.domain.scopes import INHERIT
from carrel.domain.services import Service, ServiceToken
from carrel.domain.users import User
from carrel.lib.clock import Clock, Timestamp
from carrel.lib.ids import digest, new_token, token_prefix
from carrel.storage.base import Store, Transaction

_FROM_CONFIG = "from config"
_GENERATED = "generated at startup"
#: The fact that numbers the tokens which the configuration gives to users.
CONFIG_USER_TOKENS = "config_user_tokens"
_LOADED = "services_loaded"
_log = logging.getLogger("carrel.services")


async def put_service(
    tx: Transaction, setting: ServiceSetting, hosts: Hosts, *, admin: bool, from_config: bool
) -> Service:
    """Store what is said of a service, with its OAuth client; its tokens are left as they are.

    Raises Conflict when the client's id is another's.
    """
    before = await tx.services.get(setting.name)
    service = await tx.services.put(
        Service(
            id=0,
            name=setting.name,
            admin=admin,
            url=setting.url,
            client_id=setting.client_id,
            no_confirm=setting.oauth_no_confirm,
            display=setting.display,
            info=setting.info,
            command=setting.command,
            timeout=setting.timeout,
            from_config=from_config,
        )
    )
    if before is not None and before.client_id not in ("", service.client_id):
        await remove_client(tx, before.client_id)
    if service.client_id:
        await _put_client(tx, service, setting, hosts)
    tx.announce(ServiceChanged(service.id))
    return service


async def _put_client(tx: Transaction, service: Service, setting: ServiceSetting, hosts: Hosts) -> None:
    allowed = setting.oauth_client_allowed_scopes
    if not allowed and setting.oauth_roles:
        roles = await tx.roles.named(setting.oauth_roles)
        allowed = tuple(dict.fromkeys(scope for role in roles for scope in role.scopes))
    client = client_of_service(
        service.name,
        await _secret_of_client(tx, service, setting),
        setting.oauth_redirect_uri or f"{hosts.service_url(service.name)}oauth_callback",
        client=service.client_id,
        allowed=allowed,
        confirm=not service.no_confirm,
    )
    await register_client(tx, client)


async def _secret_of_client(tx: Transaction, service: Service, setting: ServiceSetting) -> str:
    """Return the digest of the secret by which a service is known as an OAuth client."""
    if setting.api_token:
        return digest(setting.api_token)
    present = await tx.oauth.get_client(service.client_id)
    if service.command and present is not None:
        # That of one which a hub runs is made with each run.
        return present.hashed_secret
    # One without a token signs nobody in: without any secret it would be a public client.
    return digest(new_token())


async def remove_service(tx: Transaction, service: Service) -> None:
    """Remove a service with its tokens and client, and what its visitors' browsers were given."""
    if service.client_id:
        await remove_client(tx, service.client_id)
    await tx.services.delete(service.id)
    tx.announce(ServiceChanged(service.id))


async def add_token(
    tx: Transaction, service: Service, secret: str, now: Timestamp, note: str, *, generated: bool = False
) -> None:
    """Store a token of a service; raise Conflict when somebody has it already."""
    hashed, prefix = digest(secret), token_prefix(secret)
    if await tx.tokens.find(prefix, hashed) is not None:
        raise Conflict("This token is somebody's already")
    await tx.services.add_token(ServiceToken(0, service.id, prefix, hashed, now, note, generated))
    tx.announce(ServiceChanged(service.id))


async def renew_token(tx: Transaction, service: Service, now: Timestamp) -> str:
    """Return the token for a new run of a service that was not given one; that of the last run ends."""
    for token in await tx.services.tokens(service.id):
        if token.generated:
            await tx.services.delete_token(token.id)
    secret = new_token()
    await add_token(tx, service, secret, now, _GENERATED, generated=True)
    client = await tx.oauth.get_client(service.client_id) if service.client_id else None
    if client is not None:
        await tx.oauth.put_client(replace(client, hashed_secret=digest(secret)))
    return secret


async def load_services(
    store: Store,
    authenticator: Authenticator,
    clock: Clock,
    hosts: Hosts,
    settings: tuple[RightsSettings, ServicesSettings],
) -> None:
    """Make the configuration's services and tokens what it says; may be repeated.

    What it named once and does not any more goes. Services that the API was told of stay, unless the
    configuration has one of that name. Raises BadConfig for a token of a user who cannot be.
    """
    rights, wanted = settings
    async with store.write(durable=True) as tx:
        # Hubs that start together wait for each other here, and then find what the first has stored.
        await tx.facts.put(_LOADED, str(clock.now()))
        loader = _Loader(tx, authenticator, clock, hosts)
        await loader.remove_all_but({service.name for service in wanted.services})
        admins = next((role.services for role in rights.roles if role.name == ADMIN.name), None)
        for service in wanted.services:
            admin = service.admin if admins is None else service.name in admins
            await loader.put(service, admin, wanted.tokens.get(service.name, ()))
        await loader.put_user_tokens(wanted.user_tokens)


@dataclass(frozen=True, slots=True)
class _Loader:
    tx: Transaction
    authenticator: Authenticator
    clock: Clock
    hosts: Hosts

    async def remove_all_but(self, names: Collection[str]) -> None:
        for service in await self.tx.services.all():
            if service.from_config and service.name not in names:
                _log.warning("Service %s is not defined any more and was removed", service.name)
                await remove_service(self.tx, service)

    async def put(self, setting: ServiceSetting, admin: bool, tokens: Sequence[str]) -> None:
        before = await self.tx.services.get(setting.name)
        if before is not None and not before.from_config:
            _log.warning("Service %s of the API is now the configuration's", before.name)
        await self._free_client(setting)
        service = await put_service(self.tx, setting, self.hosts, admin=admin, from_config=True)
        wanted = {digest(token): token for token in tokens}
        for token in await self.tx.services.tokens(service.id):
            # The token of a run that is still going on is good for as long as the run.
            if token.hashed not in wanted and not (token.generated and setting.command and not tokens):
                await self.tx.services.delete_token(token.id)
            elif token.hashed in wanted and not token.generated:
                del wanted[token.hashed]
        for secret in wanted.values():
            await self._free_token(secret)
            await add_token(self.tx, service, secret, self.clock.now(), _FROM_CONFIG)

    async def _free_client(self, setting: ServiceSetting) -> None:
        """Take the wanted client's id from a service that has had it so far."""
        other = await self.tx.services.of_client(setting.client_id) if setting.client_id else None
        if other is not None and other.name != setting.name:
            _log.warning("Service %s loses its oauth_client_id to %s", other.name, setting.name)
            await remove_client(self.tx, other.client_id)
            await self.tx.services.put(replace(other, client_id=""))

    async def _free_token(self, secret: str) -> None:
        """Take a token from whoever has it: the configuration says whose it is."""
        prefix, hashed = token_prefix(secret), digest(secret)
        of_user = await self.tx.tokens.find(prefix, hashed)
        if of_user is not None:
            await self.tx.tokens.delete(of_user.id)
            self.tx.announce(RightsChanged(of_user.user_id))
        of_service = await self.tx.services.find_token(prefix, hashed)
        if of_service is not None:
            await self.tx.services.delete_token(of_service.id)
            self.tx.announce(ServiceChanged(of_service.service_id))

    async def put_user_tokens(self, wanted: Mapping[str, str]) -> None:
        """Give users the tokens that the configuration names, and end those that it has named before."""
        known = await self.tx.facts.get(CONFIG_USER_TOKENS)
        old = {int(number) for number in (known or "").split()}
        ids = {await self._put_user_token(secret, name) for secret, name in wanted.items()}
        for number in old - ids:
            token = await self.tx.tokens.get(number)
            if token is not None:
                await self.tx.tokens.delete(number)
                self.tx.announce(RightsChanged(token.user_id))
        if old != ids:
            await self.tx.facts.put(CONFIG_USER_TOKENS, " ".join(map(str, sorted(ids))))

    async def _put_user_token(self, secret: str, name: str) -> int:
        user = await self._user(name)
        present = await self.tx.tokens.find(token_prefix(secret), digest(secret))
        if present is not None and present.user_id == user.id:
            return present.id
        await self._free_token(secret)
        now = self.clock.now()
        stored = await self.tx.tokens.add(new_record(user, secret, (INHERIT,), now=now, note=_FROM_CONFIG))
        return stored.id

    async def _user(self, name: str) -> User:
        wanted = self.authenticator.normalize_username(name)
        good = False
        with suppress(Invalid):
            good = self.authenticator.validate_username(check_user_name(wanted))
        user = await self.tx.users.get(wanted)
        if user is None and not good:
            raise BadConfig([Problem("JupyterHub.api_tokens", f"{name[:80]!r} cannot be a user's name")])
        return user or await self.tx.users.create(wanted, admin=False, now=self.clock.now())
