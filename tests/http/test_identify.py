"""Who a request comes from: header before cookie, and no way around."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.hub import HOST, open_hub


@pytest.mark.parametrize("scheme", ["token", "Token", "TOKEN", "bearer", "Bearer"])
async def test_a_token_names_its_owner(tmp_path: Path, scheme: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        secret = await hub.token("ada")
        reply = await browser.get("/hub/api/user", headers={"Authorization": f"{scheme} {secret}"})
        assert reply.json()["name"] == "ada"


@pytest.mark.parametrize(
    "value", ["token wrong", "bearer ", "token", "token é", "token " + "x" * 5000, "Bearer a b"]
)
async def test_a_bad_token_is_nobody_even_with_a_good_cookie(tmp_path: Path, value: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        token = await browser.xsrf("/hub/home")
        headers = {b"Authorization": value.encode(), b"X-XSRFToken": token.encode()}
        assert (await browser.get("/hub/api/user", headers=headers)).status_code == 403


async def test_another_scheme_leaves_the_cookie_in_force(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        headers = {"Authorization": "Basic YTpi", "X-XSRFToken": await browser.xsrf("/hub/home")}
        assert (await browser.get("/hub/api/user", headers=headers)).json()["name"] == "ada"


async def test_a_token_in_the_address_is_nobody(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        secret = await hub.token("ada")
        assert (await browser.get(f"/hub/api/user?token={secret}")).status_code == 403


@pytest.mark.parametrize("change", ["", "x", "secret.0", ".", "é.é", "drop-signature", "other-key"])
async def test_a_cookie_that_we_did_not_sign_is_nobody(tmp_path: Path, change: str) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        good = browser.cookies["jupyterhub-hub-login"]
        secret, _, signature = good.rpartition(".")
        value = {"drop-signature": secret, "other-key": f"{secret}.{signature[::-1]}"}.get(change, change)
        headers = {b"Cookie": f"jupyterhub-hub-login={value}".encode()}
        async with hub.browser() as stranger:
            assert (await stranger.get("/hub/home", headers=headers)).status_code == 302


async def test_the_cookies_of_a_log_in(tmp_path: Path) -> None:
    async with open_hub(tmp_path, base_url="/jh/") as hub, hub.browser() as browser:
        form = await browser.xsrf("/jh/hub/login")
        fields = {"username": "ada", "password": "open sesame", "_xsrf": form}
        https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
        for headers, secure in (({}, False), (https, True)):
            reply = await browser.post("/jh/hub/login", data=fields, headers=headers)
            assert reply.status_code == 302
            cookies = {line.partition("=")[0]: line for line in reply.headers.get_list("set-cookie")}
            assert cookies.keys() == {"jupyterhub-hub-login", "jupyterhub-session-id"}
            for line in cookies.values():
                assert "HttpOnly" in line
                assert "SameSite=lax" in line
                assert ("Secure" in line) is secure
                assert "Max-Age=1209" in line
            assert "Path=/jh/hub/;" in cookies["jupyterhub-hub-login"]
            assert "Path=/jh/;" in cookies["jupyterhub-session-id"]
            session_id = cookies["jupyterhub-session-id"].partition("=")[2].partition(";")[0]
            assert int(session_id, 16) >= 0
            browser.cookies.delete("jupyterhub-hub-login", domain=HOST)


async def test_a_caller_is_looked_up_once_per_request(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.get("/hub/home")
        assert reply.text.count("ada") >= 1
        assert reply.status_code == 200
