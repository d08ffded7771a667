"""firstuseauthenticator: the password of the first log-in is the one of all others, in a file of its own.

Covers the first and later log-ins, many at once, its own words for a bad password, changing it,
`create_users` off, `next`, and a restart in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.visitor import Reply, Visitor

PLUGIN = "jupyterhub-firstuseauthenticator"
PASSWORD, OTHER = "seven wonders", "eight days a week"
CONFIG = """
c.JupyterHub.authenticator_class = 'firstuseauthenticator.FirstUseAuthenticator'
c.Authenticator.admin_users = {'root'}
"""

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(carrel_with_plugins(), tmp_path_factory.mktemp("firstuse"), CONFIG) as hub:
        yield hub


def change(visitor: Visitor, password: str) -> Reply:
    page = "hub/auth/change-password"
    return visitor.post_form(page, {"_xsrf": visitor.xsrf_token(visitor.get(page)), "password": password})


def test_a_password_may_be_changed_before_any_page_of_the_plugin_was_shown(hub: HubProcess) -> None:
    visitor = hub.visitor()
    assert visitor.log_in("vera", PASSWORD).location
    token = visitor.xsrf_token(visitor.get("hub/token"))
    reply = visitor.post_form("hub/auth/change-password", {"_xsrf": token, "password": OTHER})
    assert (reply.status, "changed successfully" in reply.text) == (200, True)


def test_the_first_password_is_the_one(hub: HubProcess) -> None:
    assert hub.visitor().log_in("Ada", PASSWORD, "/hub/token").location == f"{hub.public_url}hub/token"
    wrong = hub.visitor().log_in("ada", OTHER)
    assert (wrong.status, "Invalid username or password" in wrong.text) == (403, True)
    assert hub.visitor().log_in("ada", PASSWORD).location


def test_the_plugins_own_words_are_on_the_page(hub: HubProcess) -> None:
    reply = hub.visitor().log_in("bea", "short")
    assert (reply.status, "at least 7 characters long" in reply.text) == (403, True)
    assert 'value="bea"' in reply.text


def test_many_may_come_at_once(hub: HubProcess) -> None:
    """Its file can be opened once at a time."""
    names = [f"pupil{number}" for number in range(6)]
    with ThreadPoolExecutor(len(names)) as class_room:
        replies = list(class_room.map(lambda name: hub.visitor().log_in(name, PASSWORD), names))
    assert all(reply.location for reply in replies)


def test_people_change_their_password(hub: HubProcess) -> None:
    visitor = hub.visitor()
    visitor.log_in("cleo", PASSWORD)
    assert "Change Password" in visitor.get("hub/auth/change-password").text
    assert "too short" in change(visitor, "x").text
    assert "changed successfully" in change(visitor, OTHER).text
    assert not hub.visitor().log_in("cleo", PASSWORD).location
    assert hub.visitor().log_in("cleo", OTHER).location


def test_nobody_changes_a_password_without_a_log_in_or_a_form(hub: HubProcess) -> None:
    page = "hub/auth/change-password"
    assert "/hub/login?next=" in hub.visitor().get(page).location
    visitor = hub.visitor()
    visitor.log_in("dora", PASSWORD)
    assert visitor.post_form(page, {"password": OTHER}).status == 403
    assert hub.visitor().log_in("dora", PASSWORD).location


def test_passwords_outlive_the_hub_and_end_with_the_user(hub: HubProcess) -> None:
    visitor = hub.visitor()
    visitor.log_in("emmy", PASSWORD)
    hub.visitor().log_in("root", PASSWORD)
    hub.restart()
    assert visitor.get("hub/home").status == 200
    assert not hub.visitor().log_in("emmy", OTHER).location
    assert hub.api("DELETE", "users/emmy", token=hub.token("root")).status == 204
    assert hub.visitor().log_in("emmy", OTHER).location


def test_only_those_who_exist_come_in_where_nobody_may_be_made(tmp_path: Path) -> None:
    more = "c.FirstUseAuthenticator.create_users = False"
    with HubProcess(carrel_with_plugins(), tmp_path, f"{CONFIG}{more}\n") as hub:
        assert not hub.visitor().log_in("ada", PASSWORD).location
        # The configuration's administrator exists from the start.
        assert hub.visitor().log_in("root", PASSWORD).location
        made = hub.api("POST", "users/ada", token=hub.token("root"))
        assert made.status == 201
        assert hub.visitor().log_in("ada", PASSWORD).location
