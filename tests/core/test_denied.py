"""Every use case refuses a caller who holds nothing, and one whose scopes are for others."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import carrel.core
from carrel.core.server_records import ServerChanges
from carrel.core.users import UserChanges
from carrel.domain.errors import Forbidden, NotFound
from carrel.domain.paging import PageRequest
from carrel.domain.scope_catalog import METASCOPES, SCOPES
from carrel.storage.base import UserFilter
from carrel.testing.hub import TrialHub

PAGE = PageRequest()
#: Use cases that ask for nothing, and why.
FREE = {
    "access.towards": "looks up groups and shows nothing",
    "admission.named_server_limit": "tells a number of the configuration",
    "login.log_out": "everybody may end their own session",
    "users.get_self": "everybody may know who they are",
    "users.owner_of_token": "who has a token may know whose it is",
    "oauth.require_access": "asks for the scopes of the client, see test_groups.py",
    "oauth.issue_code": "comes after require_access",
}
#: All others, with arguments that are about ada, her server or her class.
GUARDED: dict[str, tuple[Any, ...]] = {
    "activity_reports.report": ("ada", None, {}),
    "groups.list_groups": (PAGE,),
    "groups.get_group": ("class",),
    "groups.create_groups": (["fresh"],),
    "groups.delete_group": ("class",),
    "groups.add_members": ("class", ["bea"]),
    "groups.remove_members": ("class", ["ada"]),
    "groups.set_properties": ("class", {}),
    "routes.list_routes": (),
    "routes.repair": (),
    "routes.move_proxy": ("http://127.0.0.1:1",),
    "server_records.create_server": ("ada", "lab"),
    "server_records.change_server": ("ada", "", ServerChanges(user_options={})),
    "servers.get_server": ("ada",),
    "servers.look_at_server": ("ada",),
    "servers.ask_to_start": ("ada",),
    "servers.ask_to_stop": ("ada",),
    "tokens.issue_token": ("ada",),
    "tokens.list_tokens": ("ada",),
    "tokens.get_token": ("ada", "a1"),
    "tokens.revoke_token": ("ada", "a1"),
    "users.get_user": ("ada",),
    "users.list_users": (UserFilter(), PAGE),
    "users.create_users": (["fresh"],),
    "users.create_user": ("fresh",),
    "users.change_user": ("ada", UserChanges(name="fresh")),
    "users.delete_user": ("ada",),
}


def use_cases() -> dict[str, Callable[..., Any]]:
    """Return what in `core` takes the hub's parts and a caller, by module and name."""
    found = {}
    for info in pkgutil.iter_modules(carrel.core.__path__):
        module = importlib.import_module(f"carrel.core.{info.name}")
        for name, value in vars(module).items():
            if name.startswith("_") or not inspect.iscoroutinefunction(value):
                continue
            parameters = list(inspect.signature(value).parameters)
            if value.__module__ == module.__name__ and parameters[:2] == ["ctx", "caller"]:
                found[f"{info.name}.{name}"] = value
    return found


def test_every_use_case_is_here() -> None:
    assert set(use_cases()) == {*GUARDED, *FREE}


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("condition", [None, "user=root", "group=other", "server=root/", "service=ada"])
async def test_who_holds_nothing_of_it_is_refused(hub: TrialHub, name: str, condition: str | None) -> None:
    await hub.make_group("class", "ada")
    await hub.make_group("other", "root")
    user = (await hub.make_user("bea")).user
    scopes = ["(no_scope)"] if condition is None else [f"{s}!{condition}" for s in SCOPES.keys() - METASCOPES]
    caller = hub.caller_of(user, *scopes)
    try:
        answer = await use_cases()[name](hub.ctx, caller, *GUARDED[name])
    except (Forbidden, NotFound):
        return
    # A list is the only thing that a filter may leave less of.
    assert name in ("users.list_users", "groups.list_groups")
    assert not {"ada", "class"} & {
        item.user.name if name.startswith("users") else item.group.name for item in answer.items
    }
