"""Bring the roles and groups that the configuration and the authenticator name into the database."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from carrel.authenticators.base import Authenticator
from carrel.config.rights import Finding, RightsSettings, RoleSetting, read_roles
from carrel.config.schema import BadConfig, Problem
from carrel.core.groups import ensure_group
from carrel.domain.errors import Conflict
from carrel.domain.events import RightsChanged, RolesChanged
from carrel.domain.roles import ADMIN, DEFAULT_ROLES, USER, Role
from carrel.domain.scope_catalog import Catalog
from carrel.domain.users import User
from carrel.lib.awaiting import resolve
from carrel.lib.clock import Clock
from carrel.storage.base import Store, Transaction
from carrel.storage.roles import BearerKind

_BEARERS: tuple[BearerKind, ...] = ("groups", "services")
_log = logging.getLogger("carrel.rights")


async def load_rights(
    store: Store, authenticator: Authenticator, clock: Clock, rights: RightsSettings
) -> None:
    """Make roles, groups and who has them what the configuration says; may be repeated.

    Roles that are gone from the configuration go, and whom a role's definition does not name has it no more.
    Groups are added to and never removed. Raises BadConfig for what the authenticator manages, too.
    """
    managed = await _managed_roles(authenticator, rights)
    async with store.write(durable=True) as tx:
        loader = _Loader(tx, authenticator, clock)
        ids = await loader.put_roles(rights, managed)
        for group in rights.groups:
            await loader.put_group(group.name, group.users, group.properties)
        for role in rights.roles:
            await loader.assign(ids[role.name], role, managed=False)
        for role in managed:
            await loader.assign(ids[role.name], role, managed=True)
        if authenticator.reset_managed_roles_on_startup:
            await loader.forget_managed({ids[role.name]: role for role in managed})
        tx.announce(RolesChanged())


def read_managed_roles(entries: Sequence[Mapping[str, Any]], catalog: Catalog) -> list[RoleSetting]:
    """Return the roles that an authenticator gives somebody; raise Conflict when one cannot be."""
    roles, findings = read_roles("Authenticator", entries, catalog)
    wrong = [text for _, text, fatal in findings if fatal]
    if wrong:
        raise Conflict(f"The authenticator's roles cannot be used: {wrong[0]}")
    return roles


async def sync_roles(tx: Transaction, user: User, roles: Sequence[RoleSetting]) -> None:
    """Make `roles` those of a user who has logged in, as their authenticator says.

    Roles are made or changed as it describes them; one of its own that nobody has any more goes.
    """
    held = [each.role for each in await tx.roles.of_user(user.id) if each.direct]
    stored = {role.name: role for role in await tx.roles.named(role.name for role in roles)}
    for each in roles:
        role = _merged(each, stored.get(each.name), managed=True)
        role_id = role.id if role == stored.get(each.name) else await tx.roles.put(role)
        for kind in _BEARERS:
            names: Sequence[str] | None = getattr(each, kind)
            if names is not None:
                await _set_bearers(tx, role_id, kind, names, managed=True)
        if each.users is not None:
            found = [member.id for member in await tx.users.named(each.users)]
            await _set_users(tx, role_id, found, managed=True)
        await tx.roles.grant(role_id, [user.id], managed=True)
        if role != stored.get(each.name) or (each.users, each.groups, each.services) != (None, None, None):
            tx.announce(RolesChanged())
    wanted = {each.name for each in roles}
    for role in held:
        if role.name not in wanted:
            await tx.roles.revoke(role.id, [user.id])
            if role.managed_by_auth and not await _in_use(tx, role.id):
                await tx.roles.delete(role.id)
    tx.announce(RightsChanged(user.id))


async def _managed_roles(authenticator: Authenticator, rights: RightsSettings) -> list[RoleSetting]:
    """Return the authenticator's roles; raise BadConfig when they do not go with the configuration's."""
    findings: list[Finding] = []
    if authenticator.manage_groups and rights.groups:
        findings.append(("load_groups", "the authenticator manages groups (manage_groups): remove one", True))
    if not authenticator.manage_roles:
        roles: list[RoleSetting] = []
    else:
        for role in rights.roles:
            if role.users or role.groups:
                text = f"role {role.name!r} names users or groups, but the authenticator manages roles"
                findings.append(("load_roles", text, True))
        entries = await resolve(authenticator.load_managed_roles())
        roles, wrong = read_roles("load_managed_roles()", list(entries), rights.catalog)
        findings += wrong
        own = {role.name for role in rights.roles}
        for role in roles:
            if role.name in own:
                findings.append(("load_roles", f"role {role.name!r} is the authenticator's, too", True))
    problems = [Problem(f"JupyterHub.{name}", text) for name, text, fatal in findings if fatal]
    if problems:
        raise BadConfig(problems)
    return roles


@dataclass(frozen=True, slots=True)
class _Loader:
    tx: Transaction
    authenticator: Authenticator
    clock: Clock

    async def put_roles(self, rights: RightsSettings, managed: Sequence[RoleSetting]) -> dict[str, int]:
        """Store all roles, remove those that nobody defines any more, and return the ids by name."""
        wanted = dict(DEFAULT_ROLES)
        wanted[USER.name] = Role(USER.name, USER.description, (*USER.scopes, *rights.extra_user_scopes))
        for each in rights.roles:
            wanted[each.name] = _merged(each, wanted.get(each.name), managed=False)
        for each in managed:
            wanted[each.name] = _merged(each, wanted.get(each.name), managed=True)
        for role in await self.tx.roles.all():
            reset = self.authenticator.reset_managed_roles_on_startup
            if role.name not in wanted and (reset or not role.managed_by_auth):
                _log.warning("Role %s is not defined any more and was removed", role.name)
                await self.tx.roles.delete(role.id)
        return {name: await self.tx.roles.put(role) for name, role in wanted.items()}

    async def put_group(
        self, name: str, users: Iterable[str] = (), properties: Mapping[str, Any] | None = None
    ) -> None:
        """Store a group, with these members beside those that it has."""
        group = await ensure_group(self.tx, name)
        ids = await self._user_ids(users)
        await self.tx.groups.add(group.id, ids)
        if properties is not None and properties != group.properties:
            await self.tx.groups.set_properties(group.id, properties)

    async def assign(self, role_id: int, role: RoleSetting, *, managed: bool) -> None:
        """Give a role to whom its definition names, and take it from everybody else.

        Everybody has the role `user`, and the role `admin` of users is their admin flag. What an
        authenticator leaves out stays as it is.
        """
        if role.users is not None or not managed:
            ids = await self._user_ids(role.users or ())
            if role.name == ADMIN.name:
                if role.users is not None:
                    admins = self.authenticator.admin_users
                    await self.tx.users.set_only_admins([*ids, *await self._user_ids(admins)])
            elif role.name != USER.name:
                await _set_users(self.tx, role_id, ids, managed=managed)
        for kind in _BEARERS:
            names: Sequence[str] | None = getattr(role, kind)
            if names is None and managed:
                continue
            if kind == "groups":
                for name in names or ():
                    await self.put_group(name)
            await _set_bearers(self.tx, role_id, kind, names or (), managed=managed)

    async def forget_managed(self, fresh: Mapping[int, RoleSetting]) -> None:
        """Take away what an authenticator once gave and does not name now."""
        for role in await self.tx.roles.all():
            setting = fresh.get(role.id)
            if setting is None:
                users = await self.tx.roles.users(role.id)
                await self.tx.roles.revoke(role.id, [each for each, managed in users.items() if managed])
            for kind in _BEARERS:
                if setting is None or getattr(setting, kind) is None:
                    names = await self.tx.roles.bearers(role.id, kind)
                    stale = [name for name, managed in names.items() if managed]
                    await self.tx.roles.take(role.id, kind, stale)

    async def _user_ids(self, names: Iterable[str]) -> list[int]:
        """Return the ids of users, who are made when they are new."""
        wanted = sorted({self.authenticator.normalize_username(name) for name in names})
        present = {user.name for user in await self.tx.users.named(wanted)}
        for name in wanted:
            if name not in present:
                # Another hub may be as far as this line.
                with suppress(Conflict):
                    await self.tx.users.create(name, admin=False, now=self.clock.now())
        return [user.id for user in await self.tx.users.named(wanted)]


def _merged(setting: RoleSetting, base: Role | None, *, managed: bool) -> Role:
    """Return the role that a definition makes of the one that is there, or of nothing."""
    start = base or Role(setting.name, "", (), managed)
    if setting.name == ADMIN.name:
        return start
    return Role(
        name=start.name,
        description=start.description if setting.description is None else setting.description,
        scopes=start.scopes if setting.scopes is None else setting.scopes,
        managed_by_auth=start.managed_by_auth,
        id=start.id,
    )


async def _set_users(tx: Transaction, role_id: int, ids: Collection[int], *, managed: bool) -> None:
    present = await tx.roles.users(role_id)
    await tx.roles.revoke(role_id, present.keys() - set(ids))
    await tx.roles.grant(role_id, [each for each in ids if present.get(each) is not managed], managed=managed)


async def _set_bearers(
    tx: Transaction, role_id: int, kind: BearerKind, names: Collection[str], *, managed: bool
) -> None:
    present = await tx.roles.bearers(role_id, kind)
    await tx.roles.take(role_id, kind, present.keys() - set(names))
    new = [name for name in names if present.get(name) is not managed]
    await tx.roles.give(role_id, kind, new, managed=managed)


async def _in_use(tx: Transaction, role_id: int) -> bool:
    if await tx.roles.users(role_id):
        return True
    return any([await tx.roles.bearers(role_id, kind) for kind in _BEARERS])
