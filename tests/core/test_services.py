"""Services: what the configuration makes of them, who may see, add and remove them, and what they may do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from carrel.config.rights import read_rights
from carrel.config.schema import BadConfig
from carrel.config.services import ServiceSetting, read_services
from carrel.core import services
from carrel.core.access import caller_of_token
from carrel.core.caller import Caller
from carrel.core.oauth import get_client
from carrel.core.routes import wanted_routes
from carrel.core.service_records import load_services, renew_token
from carrel.core.tokens import issue_token
from carrel.core.users import delete_user
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unchangeable
from carrel.domain.events import RolesChanged
from carrel.domain.hosts import Hosts
from carrel.domain.oauth import USUAL_CLAIMS
from carrel.domain.roles import ADMIN, Role
from carrel.domain.services import Service
from carrel.lib.ids import digest
from carrel.testing.hub import TrialHub

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


async def load(hub: TrialHub, **settings: Any) -> None:
    """Start over with another configuration's services."""
    changed = replace(hub.settings, **settings)
    parts = read_rights(changed)[0], read_services(changed)[0]
    await load_services(hub.ctx.store, hub.ctx.authenticator, hub.clock, Hosts(), parts)


async def known(hub: TrialHub) -> dict[str, Service]:
    async with hub.ctx.store.read() as tx:
        return {service.name: service for service in await tx.services.all()}


async def caller(hub: TrialHub, secret: str) -> Caller:
    found = await caller_of_token(hub.ctx, secret)
    assert found is not None
    return found


async def give(hub: TrialHub, service: str, *scopes: str, role: str = "job") -> None:
    """Let a service have a role."""
    async with hub.ctx.store.write() as tx:
        await tx.roles.give(await tx.roles.put(Role(role, "", scopes)), "services", [service])
        tx.announce(RolesChanged())


class TestConfiguration:
    """What it names is there, and goes when it is named no more."""

    async def test_what_is_gone_from_it_goes_and_the_api_s_own_stay(self, hub: TrialHub) -> None:
        root = await hub.find("root")
        await services.create_service(hub.ctx, root, ServiceSetting("mine", api_token=C))
        await load(hub, services=[{"name": "a", "api_token": A}, {"name": "b", "url": "http://b:1"}])
        first = await known(hub)
        await load(hub, services=[{"name": "a", "api_token": A}, {"name": "b", "url": "http://b:1"}])
        assert await known(hub) == first
        assert (await caller(hub, A)).name == "a"
        assert await get_client(hub.ctx, "service-b") is not None
        await load(hub, services=[])
        assert set(await known(hub)) == {"mine"}
        assert await caller_of_token(hub.ctx, A) is None
        assert await get_client(hub.ctx, "service-b") is None
        assert (await caller(hub, C)).name == "mine"

    async def test_a_token_that_is_gone_is_good_no_more_at_once(self, hub: TrialHub) -> None:
        await load(hub, service_tokens={A: "a", B: "a"})
        assert (await caller(hub, A)).name == (await caller(hub, B)).name == "a"
        await load(hub, service_tokens={B: "a"})
        assert await caller_of_token(hub.ctx, A) is None
        assert await caller_of_token(hub.ctx, B) is not None

    async def test_the_configuration_takes_a_name_a_client_and_a_token_from_the_api_s(
        self, hub: TrialHub
    ) -> None:
        root = await hub.find("root")
        squatter = ServiceSetting("a", api_token=A, oauth_redirect_uri="https://evil.example/")
        await services.create_service(hub.ctx, root, squatter)
        other = ServiceSetting("x", api_token=B, url="http://x:1", oauth_client_id="service-b")
        await services.create_service(hub.ctx, root, other)
        await load(hub, services=[{"name": "a"}, {"name": "b", "api_token": B, "url": "http://b:1"}])
        assert await caller_of_token(hub.ctx, A) is None
        assert await get_client(hub.ctx, "service-a") is None
        assert (await caller(hub, B)).name == "b"
        client = await get_client(hub.ctx, "service-b")
        assert client is not None
        assert client.redirect_uri == "/services/b/oauth_callback"
        found = await known(hub)
        assert found["a"].from_config
        assert found["x"].client_id == ""

    async def test_a_client_of_oauth(self, hub: TrialHub) -> None:
        entry = {"name": "b", "url": "http://b:1", "api_token": A}
        await load(hub, services=[entry | {"oauth_roles": ["job", "none"]}])
        await give(hub, "nobody", "read:hub", "access:services!service", role="job")
        await load(hub, services=[entry | {"oauth_roles": ["job", "none"]}])
        client = await get_client(hub.ctx, "service-b")
        assert client is not None
        assert client.hashed_secret == digest(A)
        assert client.access_scopes == ("access:services", "access:services!service=b")
        assert client.allowed_scopes == ("read:hub", "access:services!service=b", *USUAL_CLAIMS)
        await load(hub, services=[entry | {"oauth_client_id": "service-c"}])
        assert await get_client(hub.ctx, "service-b") is None
        assert await get_client(hub.ctx, "service-c") is not None

    async def test_one_without_a_token_signs_nobody_in(self, hub: TrialHub) -> None:
        await load(hub, services=[{"name": "b", "url": "http://b:1"}])
        client = await get_client(hub.ctx, "service-b")
        assert client is not None
        assert not client.public, "without a secret anybody could speak for it"

    async def test_tokens_of_users(self, hub: TrialHub) -> None:
        await load(hub, api_tokens={A: "Ada", B: "fresh"})
        assert (await caller(hub, A)).user == (await hub.find("ada")).user
        assert (await caller(hub, B)).name == "fresh"
        await load(hub, api_tokens={A: "ada"}, service_tokens={B: "s"})
        assert (await caller(hub, B)).service is not None
        await load(hub)
        assert await caller_of_token(hub.ctx, A) is None
        await hub.find("fresh")
        with pytest.raises(BadConfig, match="cannot be a user's name"):
            await load(hub, api_tokens={A: "a/b"})

    async def test_the_token_of_a_run_is_made_anew_and_outlives_a_restart(self, hub: TrialHub) -> None:
        entry = {"name": "b", "url": "http://b:1", "command": ["x"]}
        await load(hub, services=[entry])
        for _ in range(2):
            async with hub.ctx.store.write() as tx:
                service = await tx.services.get("b")
                assert service is not None
                secret = await renew_token(tx, service, hub.clock.now())
            await load(hub, services=[entry])
            client = await get_client(hub.ctx, "service-b")
            assert client is not None
            assert client.hashed_secret == digest(secret)
            assert (await caller(hub, secret)).name == "b"
            async with hub.ctx.store.read() as tx:
                assert len(await tx.services.tokens(service.id)) == 1
        await load(hub, services=[entry | {"api_token": A}])
        assert await caller_of_token(hub.ctx, secret) is None

    @pytest.mark.parametrize(
        ("roles", "admin"), [([], True), ([{"name": "admin", "services": ["b"]}], False)]
    )
    async def test_a_list_of_the_role_admin_counts_more_than_the_flag(
        self, hub: TrialHub, roles: list[Any], admin: bool
    ) -> None:
        flagged = [{"name": "a", "admin": True, "api_token": A}, {"name": "b", "api_token": B}]
        await load(hub, services=flagged, load_roles=roles)
        assert (await caller(hub, A)).is_admin is admin
        assert (await caller(hub, B)).is_admin is not admin


class TestCaller:
    """What a service may do, and that it is no user."""

    async def test_it_has_what_its_roles_give_and_nothing_of_a_user(self, hub: TrialHub) -> None:
        await load(hub, service_tokens={A: "ada"})
        assert (await caller(hub, A)).scopes.names == frozenset()
        await give(hub, "ada", "self", "read:users:name!user", "access:services!service", "read:hub")
        ada = await caller(hub, A)
        assert ada.scopes.names == {"access:services!service=ada", "read:hub"}
        assert (ada.kind, ada.roles, ada.is_admin) == ("service", ("job",), False)
        assert ada.covers("access:services!service=ada")
        assert not ada.may("servers", user="ada")
        with pytest.raises(Forbidden):
            _ = ada.user

    async def test_an_admin(self, hub: TrialHub) -> None:
        await load(hub, services=[{"name": "boss", "admin": True, "api_token": A}])
        boss = await caller(hub, A)
        assert boss.is_admin
        assert all(map(boss.scopes.covers, ADMIN.scopes))
        assert (await issue_token(hub.ctx, boss, "ada")).token.user_name == "ada"

    async def test_one_called_like_a_user_may_remove_that_user(self, hub: TrialHub) -> None:
        await load(hub, services=[{"name": "ada", "admin": True, "api_token": A}])
        await delete_user(hub.ctx, await caller(hub, A), "ada")
        with pytest.raises(LookupError):
            await hub.find("ada")

    async def test_its_groups_are_not_those_of_a_user_of_its_name(self, hub: TrialHub) -> None:
        await hub.make_group("class", "ada")
        await load(hub, service_tokens={A: "ada"})
        await give(hub, "ada", "read:users!group=class")
        ada = await caller(hub, A)
        assert ada.groups == ()
        assert ada.watches == {"class"}
        assert not ada.may("read:users", user="ada")


class TestApi:
    """Adding and removing while the hub runs."""

    async def test_it_is_there_with_its_route_and_token_until_it_is_removed(self, hub: TrialHub) -> None:
        root = await hub.find("root")
        setting = ServiceSetting("Über uns", url="http://127.0.0.1:9/x", api_token=A, info={"k": 1})
        made = await services.create_service(hub.ctx, root, setting)
        assert (made.service.info, made.service.from_config) == ({"k": 1}, False)
        assert (await caller(hub, A)).name == "Über uns"
        await hub.clock.settle()
        await hub.clock.advance(1)
        assert hub.proxy.table["/services/%C3%9Cber%20uns/"] == (
            "http://127.0.0.1:9",
            {"service": "Über uns"},
        )
        assert "/services/%C3%9Cber%20uns/" in await wanted_routes(hub.ctx)
        with pytest.raises(Conflict, match="already exists"):
            await services.create_service(hub.ctx, root, setting)
        ada = await hub.find("ada")
        token = await hub.token_of(ada.user, "read:users:name!user", client_id="service-Über uns")
        await services.delete_service(hub.ctx, root, "Über uns")
        assert await caller_of_token(hub.ctx, A) is None
        assert await caller_of_token(hub.ctx, token) is None
        await hub.clock.advance(1)
        assert "/services/%C3%9Cber%20uns/" not in hub.proxy.table
        with pytest.raises(NotFound):
            await services.delete_service(hub.ctx, root, "Über uns")

    async def test_those_of_the_configuration_cannot_be_removed(self, hub: TrialHub) -> None:
        await load(hub, services=[{"name": "a"}])
        with pytest.raises(Unchangeable):
            await services.delete_service(hub.ctx, await hub.find("root"), "a")

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"command": ("x",)}, "Can not create managed service"),
            ({"url": "ftp://x"}, "The url must be"),
            ({"api_token": "short"}, "The api_token must have"),
            ({"oauth_no_confirm": True}, "needs an oauth_redirect_uri"),
            ({"oauth_client_id": "jupyterhub-user-ada", "url": "http://a:1"}, "must begin with"),
            ({"oauth_client_id": "service-taken", "url": "http://a:1"}, "is another client's"),
            ({"api_token": B}, "A service has this token already"),
            ({"api_token": C}, "This token is somebody's already"),
            ({"oauth_client_allowed_scopes": ("nonsense",), "url": "http://a:1"}, "There is no scope"),
        ],
    )
    async def test_what_cannot_be_is_refused_and_leaves_nothing(
        self, hub: TrialHub, changes: dict[str, Any], says: str
    ) -> None:
        taken = [{"name": "taken", "url": "http://a:1", "api_token": B}]
        await load(hub, services=taken, api_tokens={C: "ada"})
        setting = replace(ServiceSetting("new"), **changes)
        with pytest.raises(Invalid, match=says):
            await services.create_service(hub.ctx, await hub.find("root"), setting)
        assert set(await known(hub)) == {"taken"}

    @pytest.mark.parametrize(
        ("changes", "lacks"),
        [
            ({"admin": True}, "admin-ui"),
            ({"oauth_client_allowed_scopes": ("servers!user",), "url": "http://a:1"}, "servers"),
            ({"oauth_client_allowed_scopes": ("self",), "url": "http://a:1"}, "access:servers"),
            ({"oauth_client_allowed_scopes": ("read:hub",), "url": "http://a:1"}, "read:hub"),
        ],
    )
    async def test_nobody_makes_one_that_may_do_more_than_they_may(
        self, hub: TrialHub, changes: dict[str, Any], lacks: str
    ) -> None:
        bea = (await hub.make_user("bea")).user
        maker = hub.caller_of(bea, "admin:services", "self")
        with pytest.raises(Invalid, match=f"Not assigning requested scopes .*{lacks}.* not held by User bea"):
            await services.create_service(hub.ctx, maker, replace(ServiceSetting("new"), **changes))
        assert await known(hub) == {}

    async def test_a_role_that_waits_for_the_name_must_be_the_maker_s(self, hub: TrialHub) -> None:
        await give(hub, "culler", "delete:servers")
        bea = (await hub.make_user("bea")).user
        wanted = ServiceSetting("culler", api_token=A)
        with pytest.raises(Invalid, match="delete:servers"):
            await services.create_service(hub.ctx, hub.caller_of(bea, "admin:services"), wanted)
        maker = hub.caller_of(bea, "admin:services!service=culler", "delete:servers")
        assert (await services.create_service(hub.ctx, maker, wanted)).roles == ("job",)

    async def test_lists_show_what_the_scope_is_for(self, hub: TrialHub) -> None:
        await load(hub, services=[{"name": "a", "url": "http://a:1"}, {"name": "b", "url": "http://b:1"}])
        bea = (await hub.make_user("bea")).user
        lister = hub.caller_of(bea, "list:services!service=b", "access:services!service=a")
        assert [each.service.name for each in await services.list_services(hub.ctx, lister)] == ["b"]
        assert [each.name for each in await services.list_accessible(hub.ctx, lister)] == ["a"]
