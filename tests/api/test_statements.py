"""A list costs the database the same number of statements however many there are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.app.web_app import build_web_app
from carrel.domain.roles import Role
from carrel.domain.servers import Actual, Wanted
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.rig import API, client_of, statements

FEW, MANY = 10, 1000
PAGES = {"Accept": "application/jupyterhub-pagination+json"}
LISTS = (
    "/users",
    "/users?limit=5",
    "/users?limit=5&offset=5&sort=-name",
    "/users?name_filter=upil-",
    "/users?state=active",
    "/users?state=inactive&include_stopped_servers=1",
    "/groups",
    "/users/pupil-3/tokens",
    "/users/pupil-3",
)


async def fill(hub: TrialHub, count: int) -> str:
    """Add users with servers, groups, roles and tokens, and as many of each; return an admin's token."""
    root = await hub.make_user("root", admin=True)
    async with hub.ctx.store.write() as tx:
        role = await tx.roles.put(Role("tutor", "", ("list:users",)))
        users = [await tx.users.create(f"pupil-{n}", admin=False, now=1.0) for n in range(count)]
        for number, user in enumerate(users):
            server = await tx.servers.create(user.id, "", now=1.0)
            if number % 2:
                await tx.servers.save(replace(server, wanted=Wanted.RUNNING, actual=Actual.RUNNING))
            group = await tx.groups.create(f"group-{number}")
            await tx.groups.add(group.id, [user.id])
        await tx.roles.grant(role, [user.id for user in users])
    for _ in range(count):
        await hub.token_of(users[3])
    return await hub.token_of(root.user)


@pytest.mark.parametrize("headers", [{}, PAGES], ids=["plain", "pages"])
async def test_a_list_takes_as_many_statements_for_a_thousand_as_for_ten(
    headers: dict[str, str],
) -> None:
    few, many = await count(FEW, headers), await count(MANY, headers)
    # How long the list is has to be asked only when it is longer than its page.
    assert all(few[path] <= many[path] <= few[path] + bool(headers) for path in LISTS), (few, many)
    assert max(many.values()) <= 6


async def count(size: int, headers: dict[str, str]) -> dict[str, int]:
    """Return how many queries each list takes in a hub of that size."""
    counts = {}
    async with open_test_hub(work=False) as hub:
        token = await fill(hub, size)
        async with client_of(build_web_app(hub.ctx), token) as client:
            await client.get(f"{API}/user")
            for path in LISTS:
                async with statements(hub) as seen:
                    reply = await client.get(API + path, headers=headers)
                assert reply.status_code == 200, path
                counts[path] = len(seen)
    return counts
