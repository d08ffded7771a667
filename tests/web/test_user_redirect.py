"""Links that lead everybody to their own server, or where the deployer's hook says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.http.hub import open_hub
from tests.web.test_server_pages import RUNNING

LINK = "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fx.example%2Fr&branch=main"


def to_the_course(path: str, request: Any, user: Any, base_url: str) -> str | None:
    """Lead to a named server, by what a hook written for JupyterHub reads."""
    if path != "git-pull":
        return None
    branch = request.query_arguments["branch"][0].decode()
    return f"{base_url}hub/spawn/{user.escaped_name}/{branch}?next={request.path}"


async def soon(path: str, request: Any, user: Any, base_url: str) -> str:
    return f"{user.url}{path}"


async def test_a_hook_says_where_to_go(tmp_path: Path) -> None:
    async with open_hub(tmp_path, user_redirect_hook=to_the_course) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.get(LINK)
        assert reply.headers["location"] == "/hub/spawn/ada/main?next=/hub/user-redirect/git-pull"
        assert (await browser.get("/hub/user-redirect/lab")).headers["location"] == (
            "/hub/spawn/ada?next=/user/ada/lab"
        )


async def test_a_hook_may_take_its_time(tmp_path: Path) -> None:
    async with open_hub(tmp_path, user_redirect_hook=soon) as hub, hub.browser() as browser:
        await browser.log_in()
        assert (await browser.get("/hub/user-redirect/lab")).headers["location"] == "/user/ada/lab"


async def test_a_hook_that_fails_is_named_without_its_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> str:
        raise KeyError("secret")

    async with open_hub(tmp_path, user_redirect_hook=broken) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.get(LINK)
    assert reply.status_code == 503
    assert "JupyterHub.user_redirect_hook" in reply.text
    assert "secret" not in reply.text
    assert "user_redirect_hook failed for ada" in caplog.text


async def test_the_default_named_server_is_where_links_lead(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"allow_named_servers": True, "default_server_name": "main"}
    async with open_hub(tmp_path, **settings) as hub, hub.browser() as browser:
        await browser.log_in()
        reply = await browser.get("/hub/user-redirect/lab")
        assert reply.headers["location"] == "/hub/spawn/ada/main?next=/user/ada/main/lab"
        await hub.server("ada", "main", **RUNNING)
        assert (await browser.get("/hub/user-redirect/lab")).headers["location"] == "/user/ada/main/lab"
