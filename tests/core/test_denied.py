"""Every use case refuses a caller who holds nothing, and one whose scopes are for others."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import carrel.core
from carrel.config.services import ServiceSetting
from carrel.core.server_records import ServerChanges
from carrel.core.shares import ShareRequest
from carrel.core.users import UserChanges
from carrel.domain.errors import Forbidden, NotFound
from carrel.domain.paging import PageRequest
from carrel.domain.scope_catalog import METASCOPES, SCOPES
from carrel.domain.services import Service
from carrel.storage.users import UserFilter
from carrel.testing.hub import TrialHub

PAGE = PageRequest()
#: Use cases that ask for nothing, and why.
FREE = {
    "access.towards": "looks up groups and shows nothing",
    "admission.named_server_limit": "tells a number of the configuration",
    "login.log_out": "everybody may end their own session",
    "servers.stop_own_servers": "everybody may end their own servers with their session",
    "refresh.refreshed": "looks at the caller's own log-in",
    "refresh.is_token_good": "looks at the caller's own log-in",
    "refresh.require_fresh": "asks of a log-in whether it is good, for use cases that have asked for a scope",
    "users.get_self": "everybody may know who they are",
    "users.owner_of_token": "who has a token may know whose it is",
    "services.get_self": "everybody may know who they are",
    "services.list_accessible": "shows what the caller's access scopes open",
    "ports.tell_port": "who has a server's token may say where that server is, see test_ports.py",
    "oauth.require_access": "asks for the scopes of the client, see test_groups.py",
    "share_codes.look_at_code": "who knows a code is invited",
    "share_codes.accept_code": "who knows a code is invited",
    "consent.allowed_scopes": "says what a client may ask for, and nothing of anybody",
    "consent.issue_code": "comes after oauth.require_access",
    "consent.needs_consent": "looks at the caller's own tokens",
    "consent.offered_scopes": "says what the caller holds",
    "consent.signed_in_at": "looks at the caller's own session",
    "openid.user_info": "who has a token for it may know whose it is, see test_openid.py",
}
#: All others, with arguments that are about ada, her server or her class.
GUARDED: dict[str, tuple[Any, ...]] = {
    "activity_reports.report": ("ada", None, {}),
    "applications.list_holdings": ("ada",),
    "groups.list_groups": (PAGE,),
    "groups.get_group": ("class",),
    "groups.outline_groups": (PAGE,),
    "groups.outline_group": ("class", PAGE),
    "groups.create_groups": (["fresh"],),
    "groups.delete_group": ("class",),
    "groups.add_members": ("class", ["bea"]),
    "groups.remove_members": ("class", ["ada"]),
    "groups.set_properties": ("class", {}),
    "profiles.list_profiles": ("ada",),
    "repositories.launch": ({"repo": "https://git.example/x"},),
    "repositories.look_at_launch": ({"repo": "https://git.example/x"},),
    "routes.list_routes": (),
    "routes.repair": (),
    "routes.move_proxy": ("http://127.0.0.1:1",),
    "server_records.create_server": ("ada", "lab"),
    "server_records.change_server": ("ada", "", ServerChanges(user_options={})),
    "servers.get_server": ("ada",),
    "servers.look_at_server": ("ada",),
    "servers.ask_to_start": ("ada",),
    "servers.ask_to_stop": ("ada",),
    "shares.list_shares": ("ada", None, PAGE),
    "shares.share_server": ("ada", "", ShareRequest(user="bea")),
    "shares.unshare_server": ("ada", "", ShareRequest(user="bea")),
    "shares.unshare_all": ("ada", ""),
    "shares.shared_with_user": ("ada", PAGE),
    "shares.shared_with_group": ("class", PAGE),
    "shares.get_share_of_user": ("ada", "root", ""),
    "shares.get_share_of_group": ("class", "root", ""),
    "shares.give_up_share_of_user": ("ada", "root", ""),
    "shares.give_up_share_of_group": ("class", "root", ""),
    "share_codes.list_codes": ("ada", "", PAGE),
    "share_codes.make_code": ("ada", ""),
    "share_codes.revoke_codes": ("ada", ""),
    "services.list_services": (),
    "services.get_service": ("board",),
    "services.create_service": (ServiceSetting("fresh"),),
    "services.delete_service": ("board",),
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
    async with hub.ctx.store.write() as tx:
        await tx.services.put(Service(0, "board", from_config=False))
    user = (await hub.make_user("bea")).user
    scopes = ["(no_scope)"] if condition is None else [f"{s}!{condition}" for s in SCOPES.keys() - METASCOPES]
    caller = hub.caller_of(user, *scopes)
    try:
        answer = await use_cases()[name](hub.ctx, caller, *GUARDED[name])
    except (Forbidden, NotFound):
        return
    # A list is the only thing that a filter may leave less of.
    if name == "services.list_services":
        assert answer == []
        return
    assert name in ("users.list_users", "groups.list_groups", "groups.outline_groups")
    assert not {"ada", "class"} & {
        item.user.name if name.startswith("users") else item.group.name for item in answer.items
    }
