"""What people have signed in to: each application once, with all of its tokens."""

from __future__ import annotations

from carrel.core.applications import list_holdings
from carrel.domain.oauth import OAuthClient
from carrel.testing.hub import TrialHub


async def test_tokens_are_gathered_by_application(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    async with hub.ctx.store.write() as tx:
        await tx.oauth.put_client(OAuthClient("known", "digest", "/cb", (), description="Grades"))
    await hub.token_of(ada.user, note="own")
    await hub.token_of(ada.user, "read:users!user", client_id="known", last_activity=hub.clock.now() + 5)
    await hub.token_of(ada.user, "servers!user", client_id="known")
    await hub.token_of(ada.user, client_id="gone")
    await hub.token_of(ada.user, client_id="known", expires=hub.clock.now())
    found = await list_holdings(hub.ctx, ada, "ada")
    assert [owned.token.note for owned in found.own] == ["own"]
    by_id = {application.client_id: application for application in found.applications}
    assert by_id.keys() == {"known", "gone"}
    known = by_id["known"]
    assert known.description == "Grades"
    assert by_id["gone"].description == "gone"
    assert len(known.tokens) == 2
    assert {"read:users!user=ada", "servers!user=ada"} <= set(known.scopes)
    assert known.created == hub.clock.now()
    assert known.last_activity == hub.clock.now() + 5
