"""A service with JupyterHub's `HubOAuthenticated` handlers announces something on the hub's pages. It runs
once with JupyterHub's own `jupyterhub.services.auth` and once with Carrel's, by `carrel python`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import open_page, screenshot
from tests.plugins.environment import PYTHON, carrel_with_plugins, need_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel, free_port
from tests.rigs.visitor import Reply, authorization

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "jupyterhub"
BACK_END = "a managed service after JupyterHub's announcement example"
NOTES = ("The example's template uses jQuery, which the hub's pages do not have: use `fetch` in its place.",)

SERVICE = Path(__file__).with_name("announcement_service.py")
PAGE = """{% extends "templates/page.html" %}
{% block announcement %}<div class="announcement alert alert-warning"></div>{% endblock %}
{% block script %}
{{ super() }}
<script>
  fetch("/services/announcement/").then(answer => answer.json()).then(data => {
    document.querySelector(".announcement").textContent = data.announcement;
  });
</script>
{% endblock %}
"""


@pytest.fixture(scope="module", params=["jupyterhub's", "carrel's"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with the service, which only `admin` may visit."""
    need_plugins()
    program = [str(PYTHON)] if request.param == "jupyterhub's" else [*carrel().command, "python"]
    service = {
        "name": "announcement",
        "url": f"http://127.0.0.1:{free_port()}",
        "command": [*program, str(SERVICE)],
        "oauth_no_confirm": True,
    }
    role = {"name": "teller", "scopes": ["access:services!service=announcement"], "users": ["admin"]}
    directory = tmp_path_factory.mktemp("announcement")
    (directory / "templates").mkdir()
    (directory / "templates" / "page.html").write_text(PAGE)
    config = class_config(directory, STUB) + (
        f"c.JupyterHub.services = [{service!r}]\nc.JupyterHub.load_roles = [{role!r}]\n"
        "c.JupyterHub.template_paths = ['templates']\n"
    )
    with HubProcess(carrel_with_plugins(), directory, config) as hub:
        until(lambda: hub.visitor().get("services/announcement/").status == 200, "the service")
        assert hub.visitor().log_in("admin", PASSWORD).location
        assert hub.visitor().log_in("ada", PASSWORD).location
        yield hub


def announce(hub: HubProcess, user: str, text: str) -> Reply:
    headers = authorization(hub.token(user) if user else "")
    body = json.dumps({"announcement": text}).encode()
    return hub.visitor().request("POST", "services/announcement/", body=body, headers=headers)


def said(hub: HubProcess) -> tuple[str, str]:
    found = hub.visitor().get("services/announcement/").json()
    return found["announcement"], found["user"]


def test_a_program_with_an_admins_token_sets_it_and_takes_it_back(hub: HubProcess) -> None:
    assert announce(hub, "admin", "Closed on Sunday").status == 200
    assert said(hub) == ("Closed on Sunday", "admin")
    headers = authorization(hub.token("admin"))
    assert hub.visitor().request("DELETE", "services/announcement/", headers=headers).status == 200
    assert said(hub) == ("", "")


@pytest.mark.parametrize("user", ["ada", ""])
def test_others_and_strangers_may_not(hub: HubProcess, user: str) -> None:
    before = said(hub)
    assert announce(hub, user, "Free beer").status == 403
    assert said(hub) == before


def test_an_admin_logs_in_by_the_hub_and_fills_in_the_form(hub: HubProcess) -> None:
    visitor = hub.visitor()
    assert visitor.log_in("admin", PASSWORD).location
    form = visitor.follow("services/announcement/form")
    assert form.text.endswith("admin")
    fields = {"announcement": "Exams begin", "_xsrf": visitor.xsrf_token(form)}
    assert visitor.post_form("services/announcement/form", {**fields, "_xsrf": "wrong"}).status == 403
    assert visitor.post_form("services/announcement/form", fields).status == 200
    assert said(hub) == ("Exams begin", "admin")


def test_a_user_without_access_is_refused_after_the_log_in(hub: HubProcess) -> None:
    visitor = hub.visitor()
    assert visitor.log_in("ada", PASSWORD).location
    assert visitor.follow("services/announcement/form").status == 403


def test_the_page_shows_it_by_a_script_of_its_template(hub: HubProcess) -> None:
    """It is on the log-in page in Chromium."""
    assert announce(hub, "admin", "Closed on Sunday").status == 200
    with open_page() as page:
        page.goto(f"{hub.public_url}hub/login")
        page.get_by_text("Closed on Sunday").wait_for()
        screenshot(page, "plug-in-announcement")


def test_a_server_is_started_used_and_stopped_beside_it(hub: HubProcess) -> None:
    token = hub.token("ada")
    assert hub.api("POST", "users/ada/server", token=token).status in (201, 202)
    hub.wait_server("ada", token)
    assert hub.visitor().get("user/ada/page").text.startswith("ada ")
    assert hub.api("DELETE", "users/ada/server", token=token).status in (202, 204)
    hub.wait_server("ada", token, running=False)
