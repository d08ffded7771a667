"""A browser that JupyterHub signed in is signed in here, once, and only with a cookie that is good there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carrel.core.sessions import end_sessions
from carrel.core.tokens import new_record
from carrel.lib.ids import digest, new_token
from carrel.lib.signed_cookies import write_signed
from tests.http.hub import Browser, Hub, open_hub

NAME = "jupyterhub-hub-login"
SECRET = b"0" * 32
COOKIE_ID = "c00c1e" * 5
DAY = 86400


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with open_hub(tmp_path) as hub:
        ada = await hub.user("ada")
        async with hub.ctx.store.write() as tx:
            expires = hub.clock.now() + 14 * DAY
            await tx.imported_logins.add(digest(COOKIE_ID), ada.id, expires=expires)
        yield hub


def cookie(hub: Hub, *, age: float = 60, cookie_id: str = COOKIE_ID, secret: bytes = SECRET) -> str:
    return write_signed(NAME, cookie_id.encode(), secret, int(hub.clock.now() - age))


async def visit(browser: Browser, value: str, **more: str) -> int:
    """Return the status of a visit with nothing but these cookies."""
    browser.cookies.clear()
    pairs = {NAME: f'"{value}"', **more}
    line = "; ".join(f"{key}={text}" for key, text in pairs.items())
    return (await browser.get("/hub/home", headers={"Cookie": line})).status_code


async def test_it_is_exchanged_for_one_of_ours(hub: Hub) -> None:
    async with hub.browser() as browser:
        reply = await browser.get("/hub/home", headers={"Cookie": f'{NAME}="{cookie(hub)}"'})
        assert reply.status_code == 200
        assert "ada" in reply.text
        ours = browser.cookies[NAME]
        assert not ours.startswith("2|")
        assert (await browser.get("/hub/home")).status_code == 200
        given = [line for line in reply.headers.get_list("set-cookie") if line.startswith(NAME)]
        assert len(given) == 1
        assert "HttpOnly" in given[0]
        assert "Path=/hub/" in given[0]


async def test_forms_work_with_it_from_the_first_page_on(hub: Hub) -> None:
    async with hub.browser() as browser:
        await browser.get("/hub/home", headers={"Cookie": f"{NAME}={cookie(hub)}"})
        sent = await browser.send_form("/hub/token", note="mine")
        assert sent.status_code in {200, 303}
        ada = await hub.user("ada")
        async with hub.ctx.store.read() as tx:
            [token] = await tx.tokens.of_user(ada.id)
        assert token.note == "mine"


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": b"1" * 32},
        {"cookie_id": "0" * 30},
        {"cookie_id": ""},
        {"age": 14 * DAY + 5},
        {"age": -3600.0},
    ],
    ids=["another secret", "nobody's id", "no id", "too old", "of the future"],
)
async def test_no_other_one_is(hub: Hub, forged: dict[str, float | str | bytes]) -> None:
    async with hub.browser() as browser:
        assert await visit(browser, cookie(hub, **forged)) == 302  # type: ignore[arg-type]
        assert await visit(browser, cookie(hub)[:-1] + "x") == 302
        assert await visit(browser, cookie(hub)) == 200


async def test_tabs_that_come_together_get_in_and_whoever_comes_later_with_it_does_not(hub: Hub) -> None:
    old = cookie(hub)
    async with hub.browser() as browser:
        assert await visit(browser, old) == 200
        assert await visit(browser, old) == 200
        async with hub.ctx.store.write() as tx:
            found = await tx.bulk.all("imported_logins")
            rows = [{**row, "spent": row["spent"] and row["spent"] - 120} for row in found]
            await tx.imported_logins.delete_of_user(rows[0]["user_id"])
            await tx.bulk.put({"imported_logins": rows})
        assert await visit(browser, old) == 302
        # Another browser of hers has another one; cookies tell only whole seconds.
        assert await visit(browser, cookie(hub, age=3600)) == 200


async def test_what_ends_all_log_ins_ends_these(hub: Hub) -> None:
    async with hub.browser() as browser:
        await end_sessions(hub.ctx, await hub.user("ada"))
        assert await visit(browser, cookie(hub)) == 302


async def test_it_lasts_no_longer_than_it_would_have(hub: Hub) -> None:
    async with hub.browser() as browser:
        assert await visit(browser, cookie(hub, age=13 * DAY)) == 200
    ada = await hub.user("ada")
    async with hub.ctx.store.read() as tx:
        [session] = await tx.sessions.of_user(ada.id)
    assert session.expires == pytest.approx(hub.clock.now() + DAY, abs=30)


async def test_tokens_of_the_session_end_with_the_log_out(hub: Hub) -> None:
    ada, bea = await hub.user("ada"), await hub.user("bea")
    async with hub.ctx.store.write() as tx:
        for owner, session in ((ada, "hers"), (bea, "another's")):
            details = {"client_id": "jupyterhub-user-x", "session_id": session}
            await tx.tokens.add(new_record(owner, new_token(), ("inherit",), now=1.0, **details))
    async with hub.browser() as browser:
        assert await visit(browser, cookie(hub), **{"jupyterhub-session-id": "hers"}) == 200
        assert await visit(browser, cookie(hub, age=3600), **{"jupyterhub-session-id": "another's"}) == 200
    async with hub.ctx.store.read() as tx:
        first, second = await tx.sessions.of_user(ada.id)
    assert first.session_id == "hers"
    # What a browser claims, and no token of hers bears out, is not believed.
    assert second.session_id not in {"hers", "another's"}
