"""Tokens, users, groups and named servers, as people manage them in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import follow, open_page, screenshot
from tests.e2e.test_pages import signed_in
from tests.rigs.hub import HubProcess
from tests.rigs.needs import only_carrel
from tests.rigs.singleusers import STUB, class_config
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.e2e, pytest.mark.timeout(180), only_carrel]

SETTINGS = """
c.JupyterHub.allow_named_servers = True
c.JupyterHub.load_groups = {"class of 2026": {"users": ["ada", "bea"], "properties": {"term": "autumn"}}}
c.JupyterHub.services = [{"name": "grades", "url": "http://127.0.0.1:1"}]
"""
SIZES = {"wide": (1280, 800), "narrow": (400, 800)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory: Path = tmp_path_factory.mktemp("administration")
    with HubProcess(under_test(), directory, class_config(directory, STUB) + SETTINGS) as hub:
        yield hub


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with open_page(javascript=request.param) as page:
        yield page


def complaints_of(page: Page) -> list[str]:
    """Return what the browser refuses to do from now on; a status that the test asked for is none."""
    found: list[str] = []
    page.on(
        "console",
        lambda message: (
            found.append(message.text)
            if message.type == "error" and "Failed to load" not in message.text
            else None
        ),
    )
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def test_a_token_is_made_used_and_revoked(page: Page, hub: HubProcess) -> None:
    complaints = complaints_of(page)
    signed_in(page, hub, "ada")
    page.get_by_role("link", name="Tokens").click()
    page.get_by_label("Note").fill("nightly report")
    page.get_by_label("Expires after").select_option("1 hour")
    page.get_by_label("Scopes", exact=True).fill("read:usrs")
    page.get_by_role("button", name="Request new API token").click()
    expect(page.locator("#token-scopes-problem")).to_contain_text("Did you mean 'read:users'?")
    expect(page.get_by_label("Note")).to_have_value("nightly report")
    page.get_by_label("Scopes", exact=True).fill("read:users!user")
    page.get_by_role("button", name="Request new API token").click()
    secret = page.get_by_label("Token", exact=True).input_value()
    assert hub.api("GET", "user", token=secret).json()["name"] == "ada"
    assert secret not in page.url
    follow(page, page.get_by_role("link", name="Done"))
    assert secret not in page.content()
    row = page.get_by_role("row", name=re.compile("nightly report"))
    expect(row).to_contain_text("in 1 hour")
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("Revoked")
    expect(row).to_have_count(0)
    assert hub.api("GET", "user", token=secret).status == 403
    assert complaints == []


def test_a_new_token_is_copied_by_its_button(hub: HubProcess) -> None:
    with open_page() as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        signed_in(page, hub, "bea")
        page.goto(f"{hub.public_url}hub/token")
        page.get_by_role("button", name="Request new API token").click()
        button = page.get_by_role("button", name="Copy")
        place = button.bounding_box()
        button.click()
        expect(page.get_by_role("status")).to_have_text("Copied.")
        assert button.bounding_box() == place
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.get_by_label("Token", exact=True).input_value()


def test_users_are_added_looked_for_changed_and_deleted(page: Page, hub: HubProcess) -> None:
    complaints = complaints_of(page)
    signed_in(page, hub, "admin")
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Add users").click()
    page.get_by_label("Names").fill("grace\nhopper")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Added")
    page.get_by_label("Name contains").fill("GRA")
    page.get_by_label("Name contains").press("Enter")
    expect(page.get_by_role("table").get_by_role("link", name="grace")).to_be_visible()
    expect(page.get_by_role("table").get_by_role("link", name="hopper")).to_have_count(0)
    page.get_by_role("table").get_by_role("link", name="grace").click()
    page.get_by_label("Name", exact=True).fill("a/b")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#name-problem")).to_contain_text("Invalid username")
    page.get_by_label("Name", exact=True).fill("murray")
    page.get_by_label("Groups").fill("class of 2026")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("murray")
    expect(page.locator(".facts")).to_contain_text("class of 2026")
    for name in ("murray", "hopper"):
        page.goto(f"{hub.public_url}hub/admin/users/{name}")
        page.get_by_role("link", name="Delete this user").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("Deleted")
        assert hub.api("GET", f"users/{name}", token=hub.token("admin")).status == 404
    assert complaints == []


def test_servers_are_started_and_stopped_for_others(page: Page, hub: HubProcess) -> None:
    signed_in(page, hub, "admin")
    page.goto(f"{hub.public_url}hub/admin?name_filter=ada")
    page.get_by_role("button", name="Start the server ada/").click()
    expect(page.get_by_role("status")).to_contain_text("has been asked")
    hub.wait_server("ada", hub.token("admin"))
    page.reload()
    row = page.get_by_role("row", name=re.compile("^ada"))
    expect(row).to_contain_text("Running")
    row.get_by_role("link", name="Open the server ada/").click()
    page.wait_for_url("**/user/ada/**")
    page.goto(f"{hub.public_url}hub/admin?name_filter=ada")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Stop the ticked servers").click()
    hub.wait_server("ada", hub.token("admin"), running=False)
    page.reload()
    expect(row).to_contain_text("Stopped")


def test_groups_get_members_and_properties(page: Page, hub: HubProcess) -> None:
    signed_in(page, hub, "admin")
    page.goto(f"{hub.public_url}hub/admin")
    page.get_by_role("link", name="Groups").click()
    page.get_by_label("Name", exact=True).fill("lab/physics & more")
    page.get_by_role("button", name="Make the group").click()
    page.get_by_label("Add members").fill("ada\nnobody")
    page.get_by_role("button", name="Add to the group").click()
    expect(page.locator("#users-problem")).to_contain_text("No such user: nobody")
    page.get_by_label("Add members").fill("ada")
    page.get_by_role("button", name="Add to the group").click()
    expect(page.get_by_role("button", name="Remove ada from the group")).to_be_visible()
    page.get_by_label("A JSON object").fill('{"room": 12}')
    page.get_by_role("button", name="Save the properties").click()
    expect(page.get_by_label("A JSON object")).to_have_value(re.compile('"room": 12'))
    page.get_by_role("link", name="Delete this group").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Deleted")


def test_a_named_server_from_its_first_start_to_its_end(page: Page, hub: HubProcess) -> None:
    signed_in(page, hub, "dot")
    page.get_by_label("Name", exact=True).fill("My Thesis")
    page.get_by_role("button", name="Add New Server").click()
    page.wait_for_url("**/user/dot/my-thesis/**")
    page.goto(f"{hub.public_url}hub/home")
    row = page.get_by_role("row", name=re.compile("My Thesis"))
    expect(row).to_contain_text("Running")
    follow(page, row.get_by_role("button", name="Stop My Thesis"))
    page.goto(f"{hub.public_url}hub/home")
    expect(row.get_by_role("link", name="Delete My Thesis")).to_be_visible()
    row.get_by_role("link", name="Delete My Thesis").click()
    follow(page, page.get_by_role("button", name="Delete", exact=True))
    page.goto(f"{hub.public_url}hub/home")
    expect(row).to_have_count(0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_its_screen(hub: HubProcess, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    with open_page() as page:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        complaints = complaints_of(page)
        signed_in(page, hub, "admin")
        for name, path in {
            "home": "home",
            "token": "token",
            "admin": "admin",
            "add": "admin/add",
            "user": "admin/users/ada",
            "delete": "admin/users/ada/delete",
            "groups": "admin/groups",
            "group": "admin/groups/group?name=class%20of%202026",
            "services": "admin/services",
            "nothing": "nothing",
        }.items():
            page.goto(f"{hub.public_url}hub/{path}")
            screenshot(page, f"{name} {size} {scheme}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert complaints == []


def test_everything_is_reached_by_the_keyboard(hub: HubProcess) -> None:
    with open_page() as page:
        signed_in(page, hub, "admin")
        page.goto(f"{hub.public_url}hub/admin?name_filter=ada")
        reached = []
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate(
                    "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
                )
            )
        for name in ("Skip to the content", "Tokens", "Services", "Search", "ada"):
            assert any(name in str(text) for text in reached), name
        assert any("the server ada/" in str(text) for text in reached)
