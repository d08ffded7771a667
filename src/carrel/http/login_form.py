"""What stands on the log-in page, whoever shows it, and where logging in begins by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from markupsafe import Markup

from carrel.authenticators.policy import NO_RULE
from carrel.core.context import HubContext
from carrel.http.csrf import xsrf_token
from carrel.http.deployers_html import deployers_markup
from carrel.http.next_urls import wanted_next
from carrel.http.request import Connection, facts_of
from carrel.lib.urls import with_arguments

#: Fields of the form that are between the page and the hub.
_OURS = frozenset({"_xsrf", "next"})


def form_data(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return what a log-in form sent, as authenticators get it."""
    data = {
        name: value
        for name, value in fields.items()
        if isinstance(value, str) and name not in {"_xsrf", "next"}
    }
    # Spaces around a name come from autofill; those of a password may be meant.
    data["username"] = data.get("username", "").strip()
    return data


def form_values(
    hub: HubContext, connection: Connection, *, problem: str = "", username: str = "", aim: str = ""
) -> dict[str, Any]:
    """Return the variables of `login.html`; `problem` is why the last attempt failed."""
    authenticator = hub.authenticator
    aim = aim or wanted_next(hub, connection)
    return {
        "login_error": problem,
        "username": username,
        "next": aim,
        "login_form": authenticator.login_form,
        "authenticator": authenticator,
        "authenticator_login_url": _beginning(hub, aim),
        "custom_html": _own_form(hub, connection, problem, username, aim),
        "request_otp": authenticator.request_otp,
        "otp_prompt": authenticator.otp_prompt,
        "no_rule": "" if authenticator.any_allow_config or not authenticator.login_form else NO_RULE,
    }


def begins_elsewhere(hub: HubContext, connection: Connection) -> str:
    """Return where logging in begins without any page of ours; empty when a page is to be shown."""
    aim = wanted_next(hub, connection)
    if not _is_automatic(hub, aim) or _begins_here(hub):
        return ""
    return _beginning(hub, aim)


def _is_automatic(hub: HubContext, aim: str) -> bool:
    authenticator = hub.authenticator
    from_application = urlsplit(aim).path == f"{hub.settings.base_url}hub/api/oauth2/authorize"
    return authenticator.auto_login or (authenticator.auto_login_oauth2_authorize and from_application)


def is_in_request(hub: HubContext) -> bool:
    """Tell whether the request itself says who it is, as behind a proxy that has signed people in."""
    return hub.authenticator.auto_login and _begins_here(hub)


def _begins_here(hub: HubContext) -> bool:
    base_url = f"{hub.settings.base_url}hub/"
    return hub.authenticator.login_url(base_url) == f"{base_url}login"


def _beginning(hub: HubContext, aim: str) -> str:
    url = hub.authenticator.login_url(f"{hub.settings.base_url}hub/")
    return with_arguments(url, next=aim) if aim else url


def _own_form(hub: HubContext, connection: Connection, problem: str, username: str, aim: str) -> Markup | str:
    """Return the authenticator's own form, which is a template as under JupyterHub; empty without one."""
    base_url = f"{hub.settings.base_url}hub/"
    own_form = hub.authenticator.get_custom_html(base_url)
    if not own_form:
        return ""
    html = (
        Environment(autoescape=True)
        .from_string(own_form)
        .render(
            next=aim,
            username=username,
            login_error=problem,
            login_url=f"{base_url}login",
            authenticator_login_url=_beginning(hub, aim),
            authenticator=hub.authenticator,
            base_url=base_url,
            xsrf=xsrf_token(connection),
        )
    )
    return deployers_markup(facts_of(connection.scope), html)
