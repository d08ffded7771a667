"""nativeauthenticator: people sign up, administrators let them in, passwords are in the hub's database.

Covers sign-up with its refusals, authorisation, discarding, log-in and its refusals, `next`, blocking after
failures, changing one's own password and others', a server's start, and a restart in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import log_in, open_page, screenshot
from tests.plugins.environment import carrel_with_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import STUB
from tests.rigs.visitor import Reply, Visitor

PLUGIN = "jupyterhub-nativeauthenticator"
PASSWORD, OTHER = "seven wonders of the world", "eight days a week"

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


def config(directory: Path, more: str = "") -> str:
    homes = directory / "home"
    homes.mkdir(parents=True, exist_ok=True)
    return f"""
c.JupyterHub.authenticator_class = 'native'
c.Authenticator.admin_users = {{'root'}}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'simple'
c.SimpleLocalProcessSpawner.home_dir_template = '{homes}/{{username}}'
c.Spawner.cmd = {list(STUB)!r}
{more}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("native")
    with HubProcess(carrel_with_plugins(), directory, config(directory)) as hub:
        assert "successful" in sign_up(hub.visitor(), "root").text
        yield hub


def sign_up(visitor: Visitor, name: str, password: str = PASSWORD, again: str | None = None) -> Reply:
    fields = {
        "_xsrf": visitor.xsrf_token(visitor.get("hub/signup")),
        "username": name,
        "signup_password": password,
        "signup_password_confirmation": password if again is None else again,
    }
    return visitor.post_form("hub/signup", fields)


def signed_in(hub: HubProcess, name: str, password: str = PASSWORD) -> Visitor:
    visitor = hub.visitor()
    reply = visitor.log_in(name, password)
    assert reply.location, reply.text
    return visitor


def member(hub: HubProcess, name: str) -> Visitor:
    """Return somebody who has signed up, was authorised, and is signed in."""
    assert "sent to the admin" in sign_up(hub.visitor(), name).text
    signed_in(hub, "root").get(f"hub/authorize/{name}")
    return signed_in(hub, name)


def send(visitor: Visitor, page: str, **fields: str) -> Reply:
    return visitor.post_form(page, {"_xsrf": visitor.xsrf_token(visitor.get(page)), **fields})


def is_signed_in(visitor: Visitor, name: str) -> bool:
    page = visitor.get("hub/home")
    return page.status == 200 and bool(re.search(rf'class="name">{name}<', page.text))


def test_who_signs_up_waits_for_an_administrator(hub: HubProcess) -> None:
    visitor = hub.visitor()
    assert "sent to the admin" in sign_up(visitor, "Ada").text
    refused = visitor.log_in("ada", PASSWORD)
    assert not refused.location
    assert "has not been authorized" in refused.text

    admin = signed_in(hub, "root")
    area = admin.get("hub/authorize")
    assert re.search(r'href="/hub/authorize/ada"[^>]*>Authorize<', area.text)
    assert admin.get("hub/authorize/ada").location.endswith("/hub/authorize#ada")

    visitor.log_in("ada", PASSWORD)
    assert is_signed_in(visitor, "ada")


@pytest.mark.parametrize(
    ("name", "password", "again", "said"),
    [
        ("root", PASSWORD, None, "already in use"),
        ("mia", PASSWORD, "something else", "did not match"),
        ("m i a", PASSWORD, None, "does not contain spaces"),
    ],
)
def test_a_sign_up_that_cannot_be_is_told(
    hub: HubProcess, name: str, password: str, again: str | None, said: str
) -> None:
    assert said in sign_up(hub.visitor(), name, password, again).text


def test_forms_from_elsewhere_are_refused(hub: HubProcess) -> None:
    fields = {"username": "eve", "signup_password": PASSWORD, "signup_password_confirmation": PASSWORD}
    assert hub.visitor().post_form("hub/signup", fields).status == 403
    assert hub.visitor().post_form("hub/signup", {**fields, "_xsrf": "made.up"}).status == 403
    # A token of another browser is none of this one's.
    theirs = hub.visitor()
    token = theirs.xsrf_token(theirs.get("hub/signup"))
    assert hub.visitor().post_form("hub/signup", {**fields, "_xsrf": token}).status == 403
    assert "/hub/authorize/eve" not in signed_in(hub, "root").get("hub/authorize").text


def test_a_wrong_password_is_told_on_the_page(hub: HubProcess) -> None:
    visitor = hub.visitor()
    reply = visitor.log_in("root", "guess")
    assert "Invalid username or password" in reply.text
    assert not is_signed_in(visitor, "root")


def test_only_administrators_come_into_the_authorization_area(hub: HubProcess) -> None:
    grace = member(hub, "grace")
    for page in ("authorize", "authorize/grace", "discard/grace", "change-password/root"):
        assert grace.get(f"hub/{page}").status == 403
        asked = hub.visitor().get(f"hub/{page}")
        assert "/hub/login?next=" in asked.location
    assert is_signed_in(grace, "grace")


def test_the_log_in_leads_on_and_never_away(hub: HubProcess) -> None:
    wanted = hub.visitor().log_in("root", PASSWORD, "/hub/token")
    assert wanted.location == f"{hub.public_url}hub/token"
    for trap in (
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "///evil.example",
    ):
        reply = hub.visitor().log_in("root", PASSWORD, trap)
        assert reply.location.startswith(f"{hub.public_url}hub/"), trap
        assert "evil" not in reply.headers["Location"]


def test_people_change_their_password(hub: HubProcess) -> None:
    visitor = member(hub, "hedy")
    page = "hub/change-password"
    wrong = {"new_password": OTHER, "new_password_confirmation": OTHER, "old_password": "guess"}
    assert "was incorrect" in send(visitor, page, **wrong).text
    assert "changed successfully" in send(visitor, page, **(wrong | {"old_password": PASSWORD})).text
    assert not hub.visitor().log_in("hedy", PASSWORD).location
    assert hub.visitor().log_in("hedy", OTHER).location


def test_administrators_change_passwords(hub: HubProcess) -> None:
    member(hub, "joan")
    fields = {"new_password": OTHER, "new_password_confirmation": OTHER}
    changed = send(signed_in(hub, "root"), "hub/change-password/joan", **fields)
    assert "has been changed successfully" in changed.text
    assert hub.visitor().log_in("joan", OTHER).location
    assert signed_in(hub, "root").get("hub/change-password/nobody").status == 404


def test_who_was_discarded_is_gone(hub: HubProcess) -> None:
    visitor = member(hub, "mary")
    root = signed_in(hub, "root")
    root.get("hub/authorize/mary")
    assert root.get("hub/discard/mary").location.endswith("/hub/authorize")
    assert "/hub/authorize/mary" not in root.get("hub/authorize").text
    # From the hub, too, with every log-in.
    assert hub.api("GET", "users/mary", token=hub.token("root")).status == 404
    assert not is_signed_in(visitor, "mary")
    assert not hub.visitor().log_in("mary", PASSWORD).location


def test_a_server_starts_and_stops(hub: HubProcess) -> None:
    visitor = member(hub, "lise")
    home = visitor.get("hub/home")
    visitor.post_form("hub/spawn", {"_xsrf": visitor.xsrf_token(home)})
    hub.wait_server("lise", hub.token("lise"))
    assert "lise" in visitor.get("user/lise/").text
    stop = visitor.get("hub/home")
    visitor.post_form("hub/stop/lise", {"_xsrf": visitor.xsrf_token(stop)})
    hub.wait_server("lise", hub.token("lise"), running=False)


def test_signing_out_ends_the_session(hub: HubProcess) -> None:
    visitor = signed_in(hub, "root")
    copy = visitor.cookie_header("hub/home")
    send_out = visitor.post_form("hub/logout", {"_xsrf": visitor.xsrf_token(visitor.get("hub/home"))})
    assert send_out.status == 200
    assert hub.visitor().request("GET", "hub/home", headers={"Cookie": copy}).location


def test_users_removed_from_the_hub_have_no_password_left(hub: HubProcess) -> None:
    member(hub, "rosa")
    assert hub.api("DELETE", "users/rosa", token=hub.token("root")).status == 204
    assert "sent to the admin" in sign_up(hub.visitor(), "rosa").text


def test_everything_is_there_after_a_restart(hub: HubProcess) -> None:
    visitor = member(hub, "emmy")
    sign_up(hub.visitor(), "waiting")
    hub.restart()
    assert is_signed_in(visitor, "emmy")
    assert hub.visitor().log_in("emmy", PASSWORD).location
    assert re.search(
        r'href="/hub/authorize/waiting"[^>]*>Authorize<', signed_in(hub, "root").get("hub/authorize").text
    )


def test_names_are_blocked_after_failures_and_sign_up_can_be_open(tmp_path: Path) -> None:
    more = """
c.NativeAuthenticator.open_signup = True
c.NativeAuthenticator.allowed_failed_logins = 2
c.NativeAuthenticator.seconds_before_next_try = 3600
c.NativeAuthenticator.minimum_password_length = 8
c.NativeAuthenticator.check_common_password = True
"""
    with HubProcess(carrel_with_plugins(), tmp_path, config(tmp_path, more)) as hub:
        assert "at least 8" in sign_up(hub.visitor(), "ada", "short").text
        assert "is not too common" in sign_up(hub.visitor(), "ada", "123456789").text
        assert "signup was successful" in sign_up(hub.visitor(), "ada").text
        for _ in range(2):
            assert not hub.visitor().log_in("ada", "guess").location
        assert not hub.visitor().log_in("ada", PASSWORD).location
        sign_up(hub.visitor(), "bea")
        assert hub.visitor().log_in("bea", PASSWORD).location


@pytest.mark.e2e
def test_its_pages_look_and_work_in_a_browser(hub: HubProcess) -> None:
    with open_page() as page:
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{hub.public_url}hub/signup")
        screenshot(page, "native-sign-up")
        # The hub's style sheet is there, and the page's own script runs.
        assert page.locator("#signup_submit").evaluate("each => getComputedStyle(each).borderRadius") != "0px"
        page.locator("#eye").click()
        assert page.locator("#password_input").get_attribute("type") == "text"
        page.locator("#username_input").fill("nina")
        page.locator("#password_input").fill(PASSWORD)
        page.locator("#password_confirmation_input").fill(PASSWORD)
        page.locator("#signup_submit").click()
        page.get_by_text("sent to the admin").wait_for()

        log_in(page, hub.public_url, "root", PASSWORD)
        page.goto(f"{hub.public_url}hub/authorize")
        page.get_by_role("link", name="Administration").wait_for()
        screenshot(page, "native-authorize")
        page.locator("#nina").get_by_role("button", name="Authorize").click()
        page.locator("#nina").get_by_text("Yes").wait_for()
        assert not complaints


def test_where_nobody_may_sign_up_there_is_no_page(tmp_path: Path) -> None:
    more = "c.NativeAuthenticator.enable_signup = False"
    with HubProcess(carrel_with_plugins(), tmp_path, config(tmp_path, more)) as hub:
        assert hub.visitor().get("hub/signup").status == 404
        until(hub.answers, "the hub to go on")
