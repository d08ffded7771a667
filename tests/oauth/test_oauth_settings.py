"""Settings of the OAuth provider."""

from __future__ import annotations

from carrel.core.access import caller_of_token
from carrel.testing.hub import open_test_hub
from tests.oauth.conftest import open_browsers
from tests.oauth.servers import PKCE, VERIFIER, exchange, get_code, wish


async def test_a_hub_that_asks_for_proofs() -> None:
    async with open_test_hub(oauth_require_pkce=True) as hub:
        await hub.make_user("ada")
        await hub.start("ada")
        async with open_browsers(hub) as browse:
            ada = await browse("ada")
            reply = await ada.get(wish())
            assert "error=invalid_request" in reply.headers["location"]
            code = await get_code(ada, **PKCE)
            assert (await exchange(hub, await browse(""), code)).status_code == 400
            code = await get_code(ada, **PKCE)
            reply = await exchange(hub, await browse(""), code, code_verifier=VERIFIER)
            assert reply.status_code == 200
            assert "refresh_token" not in reply.json()


async def test_how_long_a_token_lasts_can_be_said() -> None:
    async with open_test_hub(oauth_token_expires_in=60.0) as hub:
        await hub.make_user("ada")
        await hub.start("ada")
        async with open_browsers(hub) as browse:
            token = (await exchange(hub, await browse(""), await get_code(await browse("ada")))).json()
            assert token["expires_in"] == 60
            await hub.clock.advance(59)
            assert await caller_of_token(hub.ctx, token["access_token"]) is not None
            await hub.clock.advance(1)
            assert await caller_of_token(hub.ctx, token["access_token"]) is None


async def test_what_visitors_may_grant_a_server() -> None:
    """It gets that by itself, and nothing beside it however it asks."""
    plugins = {"Spawner": {"oauth_client_allowed_scopes": ["read:servers!user", "shares!server"]}}
    async with open_test_hub(plugins=plugins) as hub:
        await hub.make_user("ada")
        await hub.start("ada")
        async with open_browsers(hub) as browse:
            ada, server = await browse("ada"), await browse("")
            own = {"access:servers!server=ada/", "read:users:name!user", "read:users:groups!user"}
            token = (await exchange(hub, server, await get_code(ada))).json()
            assert own | {"read:servers!user"} <= set(token["scope"].split())
            token = (await exchange(hub, server, await get_code(ada, scope="identify"))).json()
            assert set(token["scope"].split()) == own
            reply = await ada.get(wish(scope="read:servers"))
            assert "error=invalid_scope" in reply.headers["location"]
