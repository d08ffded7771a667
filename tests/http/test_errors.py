"""What people and programs are told when something is wrong."""

from __future__ import annotations

import logging
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from carrel.domain.errors import (
    CarrelError,
    Conflict,
    Forbidden,
    Invalid,
    LacksScope,
    NoAccess,
    NotFound,
    OverLimit,
    Unauthenticated,
    Unavailable,
)
from carrel.http.application import HubApplication
from carrel.http.csrf import StaleForm
from carrel.http.endpoint import get, post
from carrel.http.errors import status_of
from carrel.http.middleware import HubMiddleware
from carrel.storage.base import StorageUnavailable
from tests.http.hub import HOST, Hub, open_hub, strict

STATUS = [
    (NotFound("gone"), 404),
    (NoAccess(), 404),
    (Conflict("busy"), 409),
    (Invalid("wrong"), 400),
    (Unauthenticated("who"), 403),
    (Forbidden("no"), 403),
    (LacksScope(["users", "admin:users"]), 403),
    (StaleForm("old"), 403),
    (OverLimit("later", 12.3), 429),
    (Unavailable("down"), 503),
    (CarrelError("odd"), 500),
]


@pytest.mark.parametrize(("error", "status"), STATUS, ids=lambda value: type(value).__name__)
def test_each_domain_error_has_its_status(error: CarrelError, status: int) -> None:
    assert status_of(error) == status


def raising(hub: Hub, error: Exception) -> httpx.AsyncClient:
    """Return a client of an application whose every page raises `error`."""

    @get("/hub/api/thing", "/hub/thing")
    async def thing() -> None:
        raise error

    app = HubApplication(hub.ctx, strict(hub), [("", thing)])
    transport = httpx.ASGITransport(app=HubMiddleware(app, "/"))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")


async def test_the_api_answers_in_json(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub:
        for error, status in STATUS:
            async with raising(hub, error) as client:
                reply = await client.get("/hub/api/thing")
            assert reply.status_code == status
            assert reply.json() == {"status": status, "message": str(error)}
            assert reply.headers.get("retry-after") == {429: "13", 503: "2"}.get(status)


async def test_programs_are_told_which_scopes_would_do(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, raising(hub, LacksScope(["users", "admin:users"])) as client:
        told = (await client.get("/hub/api/thing")).json()["message"]
    assert told == "Action is not authorized with current scopes; requires any of [users, admin:users]"


async def test_a_database_that_was_cut_off_is_asked_again_by_who_only_looks(tmp_path: Path) -> None:
    calls = []

    @get("/hub/api/thing")
    async def look() -> str:
        calls.append("GET")
        if len(calls) == 1:
            raise StorageUnavailable("gone for a moment")
        return "found"

    @post("/hub/api/thing")
    async def change() -> None:
        calls.append("POST")
        raise StorageUnavailable("gone with user:hunter2@host")

    async with open_hub(tmp_path) as hub:
        app = HubApplication(hub.ctx, strict(hub), [("", look), ("", change)])
        transport = httpx.ASGITransport(app=HubMiddleware(app, "/"))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            assert (await client.get("/hub/api/thing")).text == "found"
            reply = await client.post("/hub/api/thing")
    assert calls == ["GET", "GET", "POST"]
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    assert "hunter2" not in reply.text


async def test_people_get_a_page(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub:
        for error, status in STATUS:
            async with raising(hub, error) as client:
                reply = await client.get("/hub/thing?a=b")
            if isinstance(error, Unauthenticated):
                assert reply.headers["location"] == "/hub/login?next=/hub/thing%3Fa%3Db"
                continue
            assert reply.status_code == status
            assert reply.headers["content-type"] == "text/html; charset=utf-8"
            assert error.for_people in reply.text
            assert ("Try again" in reply.text) is isinstance(error, StaleForm)


@pytest.mark.parametrize("path", ["/hub/api/thing", "/hub/thing"])
async def test_a_bug_says_nothing_but_its_number(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hub(tmp_path) as hub, raising(hub, RuntimeError("canary <secret>")) as client:
        with caplog.at_level(logging.ERROR, "carrel.http"):
            reply = await client.get(path)
    assert reply.status_code == 500
    assert "canary" not in reply.text
    assert "Traceback" not in reply.text
    assert reply.headers["x-request-id"] in reply.text
    assert reply.headers["x-request-id"] in caplog.text
    assert "canary" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hub/api/nothing", 404),
        ("DELETE", "/hub/api/user", 405),
        ("GET", "/hub/api/users/a/b/c", 404),
    ],
)
async def test_a_bare_refusal_has_no_message(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        reply = await browser.request(method, path)
        assert reply.status_code == status
        assert reply.json() == {"status": status, "message": None}
        if status == 405:
            assert "GET" in reply.headers["allow"]


POLYGLOTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "javascript:/*--></title></style></textarea></script><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+alert(1)//'>",
    "{{ 7 * 7 }}${7*7}",
]


async def test_error_pages_repeat_nothing_raw(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        for polyglot in POLYGLOTS:
            for reply in (
                await browser.get(f"/hub/{polyglot.replace('?', '')}"),
                await browser.get("/hub/error/503", params={"url": polyglot}),
                await browser.get("/hub/api/users", params={"state": polyglot}),
            ):
                assert reply.status_code >= 400
                assert_harmless(reply.text, polyglot)


def assert_harmless(html: str, polyglot: str) -> None:
    """Assert that a page does not hold markup of the polyglot."""
    assert polyglot not in html or not set(polyglot) & set("<>\"'")
    for piece in ("<script>alert", "<img src=x", "<svg/onload", "' autofocus onfocus", ">49<"):
        assert piece not in html


async def test_the_data_plane_gets_its_pages(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub, hub.browser() as browser:
        for code, status in ((404, 404), (502, 502), (503, 503), (418, 418), (200, 404), (700, 404)):
            reply = await browser.get(f"/hub/error/{code}?url=/user/ada/")
            assert reply.status_code == status
            assert "<h1" in reply.text
            if status in {502, 503}:
                assert HTTPStatus(code).phrase in reply.text
                assert "server behind this address" in reply.text
                assert "if it is a service" in reply.text
