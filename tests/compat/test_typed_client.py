"""The typed REST client against real hubs: Carrel, and JupyterHub 6.1."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from carrel_client.api import (
    BadRequest,
    BlockingHubApi,
    Conflict,
    Forbidden,
    HubApi,
    NotFound,
    StartFailed,
    groups,
    hubs,
    servers,
    services,
    shares,
    tokens,
    users,
)
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import JUPYTERHUB, System, carrel, jupyterhub_with_carrel_proxy

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


def _system(name: str) -> System:
    if name == "carrel":
        return carrel()
    need((JUPYTERHUB / "bin" / "jupyterhub").exists(), "JupyterHub 6.1")
    return jupyterhub_with_carrel_proxy()


@pytest.fixture(scope="module", params=["carrel", "jupyterhub"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub that is up, whose user `admin` has logged in once."""
    directory = tmp_path_factory.mktemp(request.param)
    config = f"{class_config(directory, STUB)}\nc.JupyterHub.allow_named_servers = True\n"
    with HubProcess(_system(request.param), directory, config) as running:
        assert running.visitor().log_in("admin", PASSWORD).location
        yield running


@pytest.fixture(scope="module")
def admins_token(hub: HubProcess) -> str:
    return hub.token("admin")


@pytest.fixture
def api(hub: HubProcess, admins_token: str) -> HubApi:
    return HubApi.at(f"{hub.public_url}hub/api/", admins_token)


async def test_the_hub_and_oneself(api: HubApi) -> None:
    assert (await api.call(hubs.version())).version.startswith("6.1")
    assert (await api.call(hubs.info())).spawner is not None
    me = await api.call(users.me())
    assert (me.name, me.kind, me.admin) == ("admin", "user", True)
    assert "admin:users" in me.scopes
    assert "/" in await api.call(hubs.routes())
    await api.call(hubs.repair_routes())


async def test_users_page_by_page(api: HubApi) -> None:
    names = [f"reader-{number:03}" for number in range(120)]
    made = await api.call(users.create_many(names))
    assert [user.name for user in made] == names
    found = [user.name async for user in api.each(users.find(name="reader-", sort="-name"))]
    assert found == names[::-1], "three pages of fifty, each user once"
    with pytest.raises(Conflict):
        await api.call(users.create_many(names))


async def test_one_user(api: HubApi) -> None:
    made = await api.call(users.create("grace@example.org"))
    assert (made.name, made.admin) == ("grace@example.org", False)
    with pytest.raises(Conflict):
        await api.call(users.create("grace@example.org"))
    assert (await api.call(users.change("grace@example.org", admin=True))).admin
    assert (await api.call(users.get("grace@example.org"))).created is not None
    await api.call(users.delete("grace@example.org"))
    with pytest.raises(NotFound) as missing:
        await api.call(users.get("grace@example.org"))
    assert missing.value.status == 404


async def test_tokens(hub: HubProcess, api: HubApi) -> None:
    made = await api.call(tokens.create("admin", note="of a test", expires_in=3600, scopes=["read:users"]))
    assert made.token
    assert made.token not in repr(made)
    assert made.expires_at is not None
    assert timedelta(minutes=55) < made.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    limited = HubApi.at(f"{hub.public_url}hub/api", made.token)
    assert (await limited.call(users.me())).name == "admin"
    with pytest.raises(Forbidden):
        await limited.call(users.create("nobody"))
    assert made.id in [token.id for token in (await api.call(tokens.of("admin"))).api_tokens]
    assert (await api.call(tokens.get("admin", made.id))).note == "of a test"
    await api.call(tokens.revoke("admin", made.id))
    with pytest.raises(Forbidden):
        await limited.call(users.me())


async def test_a_server_from_start_to_stop(api: HubApi) -> None:
    await api.call(users.create("ada"))
    server = await api.start_server("ada", options={"profile": "small"})
    assert (server.ready, server.name, server.url) == (True, "", "/user/ada/")
    assert (await api.start_server("ada")).started == server.started, "a repeated start changes nothing"
    assert server.user_options == {"profile": "small"}
    steps = [step async for step in api.watch("ada")]
    assert steps[-1].ready
    assert [user.name async for user in api.each(users.find(state="ready"))] == ["ada"]
    await api.stop_server("ada")
    assert (await api.call(users.get("ada"))).servers == {}
    await api.stop_server("ada")
    with pytest.raises(NotFound):
        await api.stop_server("nobody-of-this-name")
    with pytest.raises(NotFound):
        await api.start_server("nobody-of-this-name")


def test_the_same_for_programs_that_wait(hub: HubProcess, admins_token: str) -> None:
    with BlockingHubApi.at(f"{hub.public_url}hub/api", admins_token) as api:
        api.call(users.create("linus"))
        assert api.start_server("linus").ready
        assert [step.ready for step in api.watch("linus")][-1]
        for user in api.each(users.find()):
            assert user.name
            break
        api.stop_server("linus")
        with pytest.raises(NotFound):
            api.call(users.get("nobody-of-this-name"))


async def test_a_start_that_fails(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("failing")
    config = class_config(directory, [sys.executable, "-c", "raise SystemExit('no room')"])
    with HubProcess(hub.system, directory, config) as failing:
        assert failing.visitor().log_in("admin", PASSWORD).location
        api = HubApi.at(failing.hub_api_url, failing.token("admin"))
        with pytest.raises(StartFailed) as failure:
            await api.start_server("admin")
        assert failure.value.message
        if hub.system.is_carrel:
            assert failure.value.failure is not None
            assert "no room" in (failure.value.failure.log or "")


async def test_groups(api: HubApi) -> None:
    await api.call(users.create("maria"))
    assert (await api.call(groups.create("class"))).users == []
    assert (await api.call(groups.add("class", ["maria"]))).users == ["maria"]
    await api.call(groups.set_properties("class", {"room": 7}))
    assert (await api.call(groups.get("class"))).properties == {"room": 7}
    assert [group.name async for group in api.each(groups.find())] == ["class"]
    assert (await api.call(groups.remove("class", ["maria"]))).users == []
    with pytest.raises(BadRequest):
        await api.call(groups.add("class", ["nobody-of-this-name"]))
    await api.call(groups.delete("class"))
    with pytest.raises(NotFound):
        await api.call(groups.get("class"))


async def test_shares(api: HubApi) -> None:
    for name in ("rosa", "simon"):
        await api.call(users.create(name))
    await api.start_server("rosa")
    share = await api.call(shares.grant("rosa", user="simon"))
    assert (share.user.name if share.user else "", share.server.name, share.server.ready) == (
        "simon",
        "",
        True,
    )
    assert [found.scopes async for found in api.each(shares.of_server("rosa"))] == [share.scopes]
    assert [found.scopes async for found in api.each(shares.of_server("rosa", ""))] == [share.scopes]
    assert len([found async for found in api.each(shares.with_user("simon"))]) == 1
    await api.call(shares.revoke("rosa", user="simon"))
    await api.call(shares.revoke_all("rosa"))
    assert [found async for found in api.each(shares.of_server("rosa", ""))] == []
    code = await api.call(shares.create_code("rosa", expires_in=600))
    assert code.code
    assert code.accept_url == f"/hub/accept-share?code={code.code}"
    assert [found.id async for found in api.each(shares.codes("rosa"))] == [code.id]
    await api.call(shares.revoke_codes("rosa", code_id=code.id))
    assert [found async for found in api.each(shares.codes("rosa", ""))] == []
    await api.stop_server("rosa")


async def test_named_servers_shares_and_services(api: HubApi) -> None:
    for name in ("olga", "peter"):
        await api.call(users.create(name))
    server = await api.start_server("olga", "lab")
    assert (server.ready, server.name) == (True, "lab")
    share = await api.call(shares.grant("olga", "lab", user="peter"))
    assert (share.user.name if share.user else "", share.server.name) == ("peter", "lab")
    assert [found.scopes async for found in api.each(shares.of_server("olga"))] == [share.scopes]
    assert len([found async for found in api.each(shares.with_user("peter"))]) == 1
    await api.call(shares.revoke("olga", "lab", user="peter"))
    assert [found async for found in api.each(shares.of_server("olga", "lab"))] == []
    code = await api.call(shares.create_code("olga", "lab", expires_in=600))
    assert code.code
    assert [found.id async for found in api.each(shares.codes("olga", "lab"))] == [code.id]
    await api.call(shares.revoke_codes("olga", "lab", code_id=code.id))
    assert [found async for found in api.each(shares.codes("olga", "lab"))] == []
    await api.stop_server("olga", "lab", remove=True)
    made = await api.call(servers.create("olga", "quiet", {"size": "small"}, display_name="The quiet one"))
    assert (made.name, made.display_name, made.user_options) == ("quiet", "The quiet one", {"size": "small"})
    with pytest.raises(Conflict):
        await api.call(servers.create("olga", "quiet"))
    changed = await api.call(servers.change("olga", "quiet", new_name="loud", options={"size": "large"}))
    assert (changed.name, changed.display_name) == ("loud", "The quiet one")
    assert changed.user_options == {"size": "large"}
    with pytest.raises(NotFound):
        await api.call(servers.get("olga", "quiet"))
    await api.stop_server("olga", "loud", remove=True)
    assert await api.call(services.find()) == {}
