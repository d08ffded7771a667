"""The public Authenticator class: JupyterHub's names and behaviour, for drivers and plug-ins alike."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Integer, Set, TraitError, Unicode, default, observe
from traitlets.config import LoggingConfigurable

from carrel.authenticators.answers import AuthModel, read_answer
from carrel.authenticators.policy import (
    NO_RULE,
    Refusal,
    Standing,
    decide,
    fold_name,
    refuse_admission,
    refuse_credentials,
    show,
)
from carrel.authenticators.threads import Calls, is_ours
from carrel.domain.errors import CarrelError, Invalid
from carrel.domain.names import check_user_name
from carrel.lib.awaiting import resolve
from carrel.lib.calling import call_fitting

#: Tells whether a user of that name exists.
Exists = Callable[[str], Awaitable[bool]]

_RENAMED_TRAITS = {
    "whitelist": "allowed_users",
    "blacklist": "blocked_users",
    "admin_whitelist": "admin_users",
    "group_whitelist": "allowed_groups",
}
_RENAMED_METHODS = {
    "check_whitelist": "check_allowed",
    "check_blacklist": "check_blocked_users",
    "check_group_whitelist": "check_allowed_groups",
}


@dataclass(frozen=True, slots=True)
class NamedUser:
    """As much of a user as `add_user` and `delete_user` are told."""

    name: str


class Authenticator(LoggingConfigurable):
    """Checks who somebody is and whether they may come in.

    A subclass implements `authenticate`; every other method may be overridden, and each may be a plain
    function, a coroutine or anything else that returns an awaitable.
    """

    admin_users = Set(
        Unicode(), help="Names that become administrators when they log in; they are admitted."
    ).tag(config=True)
    allow_all = Bool(False, help="Admit everybody who proves who they are.").tag(
        config=True, allow_config=True
    )
    allowed_users = Set(Unicode(), help="Names that are admitted.").tag(config=True)
    allow_existing_users = Bool(
        help="Admit everybody whom the hub knows already. On by default when allowed_users is set."
    ).tag(config=True, allow_config=True)
    blocked_users = Set(Unicode(), help="Names that are never admitted, whatever else is set.").tag(
        config=True
    )
    any_allow_config = Bool(
        help="Whether any rule admits anybody. Set it to True to silence the warning that none does."
    ).tag(config=True)

    username_pattern = Unicode(help="A regular expression that each name must match at its start.").tag(
        config=True
    )
    username_regex = AnyTrait(help="The compiled username_pattern; None when there is none.")
    username_map: Dict[str, str] = Dict(
        help="The user's name in the hub for names that the authenticator gives (in lower case)."
    ).tag(config=True)

    auto_login = Bool(False, help="Go straight to login_url instead of showing a button.").tag(config=True)
    auto_login_oauth2_authorize = Bool(
        False, help="Do as auto_login, but only for visitors who come from an OAuth application."
    ).tag(config=True)
    login_service = Unicode(help="The name on the log-in button; when set, there is no form.")
    custom_html = Unicode(help="The log-in form's own HTML, in place of the usual one.")
    request_otp = Bool(False, help="Ask for a one-time password in the form.").tag(config=True)
    otp_prompt = AnyTrait("OTP:", help="The label of the one-time password's field.").tag(config=True)

    authenticate_in_thread: Any = Bool(
        None,
        allow_none=True,
        help="Call authenticate in a thread, where it keeps nobody else waiting. Unset: when it is a plain "
        "function, or a coroutine without await. When True, one with await has an event loop of its own.",
    ).tag(config=True)
    login_threads = Integer(
        1,
        min=1,
        help="How many log-ins are checked in threads at once. More than one only where the authenticator's "
        "code may be called so, as that of LDAPAuthenticator.",
    ).tag(config=True)

    enable_auth_state = Bool(False, help="Keep what authenticate returns as auth_state, encrypted.").tag(
        config=True
    )
    auth_refresh_age = Integer(300, help="Seconds after which refresh_user is asked again; 0: never.").tag(
        config=True
    )
    auth_refresh_strict = Bool(
        False,
        help="When refresh_user says no, refuse also what cannot be sent to the log-in page: requests by "
        "tokens, and, with refresh_pre_spawn and refresh_pre_stop, what is done for others.",
    ).tag(config=True)
    refresh_pre_spawn = Bool(False, help="Ask refresh_user before each start.").tag(config=True)
    refresh_pre_stop = Bool(False, help="Ask refresh_user before each stop.").tag(config=True)
    post_auth_hook = AnyTrait(
        help="Called with (authenticator, handler, auth_model) after every check; returns the auth_model."
    ).tag(config=True)
    reconcile_auth_state_hook = AnyTrait(
        help="Called with (authenticator, auth_model, existing auth_state); returns the auth_state to keep."
    ).tag(config=True)

    manage_groups = Bool(False, help="Take the user's groups from the authenticator.").tag(config=True)
    manage_roles = Bool(False, help="Take the user's roles from the authenticator.").tag(config=True)
    reset_managed_roles_on_startup = Bool(
        False, help="At start-up, make roles and assignments equal to load_managed_roles()."
    ).tag(config=True)
    delete_invalid_users = Bool(
        False, help="When the hub starts, remove users whom add_user refuses by now, with their servers."
    ).tag(config=True)

    whitelist = Set(Unicode(), help="Old name of allowed_users.").tag(config=True)
    blacklist = Set(Unicode(), help="Old name of blocked_users.").tag(config=True)
    admin_whitelist = Set(Unicode(), help="Old name of admin_users.").tag(config=True)

    db: Any = AnyTrait(help="A database session for plug-ins that keep tables of their own.")

    def __init__(self, **kwargs: Any) -> None:
        self._existing: set[str] = set()
        self._folded: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._calls = Calls()
        super().__init__(**kwargs)
        self._adopt_renamed_methods()

    # -- what a driver or plug-in implements ---------------------------------------------------------------

    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        """Return who has proved their identity with the form's `data`: a name, a dict with `name`, or None.

        `handler` is the request as JupyterHub's plug-ins know it, or None. The dict may also hold `admin`,
        `auth_state`, `groups` and `user_info`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement authenticate().")

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        """Return True when what is known of `user` is still good, a new auth_model, or False: log in."""
        return True

    async def load_managed_roles(self) -> list[dict[str, Any]]:
        """Return the roles that the authenticator manages."""
        if not self.manage_roles:
            raise ValueError("Set c.Authenticator.manage_roles = True to let the authenticator manage roles.")
        return []

    async def is_admin(self, handler: Any, authentication: AuthModel) -> Any:
        """Return True when the user is to be an admin, False when not, None to leave it as it is."""
        return True if self._listed("admin_users", authentication["name"]) else None

    def pre_spawn_start(self, user: Any, spawner: Any) -> Any:
        """Do what the authenticator has to do before a server starts."""

    def post_spawn_stop(self, user: Any, spawner: Any) -> Any:
        """Do what the authenticator has to do after a server has stopped."""

    def add_user(self, user: Any) -> Any:
        """Do what a new user needs; raise an exception to refuse them. May be repeated."""
        if self.allow_existing_users:
            self._remember(user.name)

    def delete_user(self, user: Any) -> Any:
        """Do what must be done when a user is removed. May be repeated."""
        self._forget(user.name)
        if user.name in self.allowed_users:
            self.allowed_users.discard(user.name)

    # -- names and admission -------------------------------------------------------------------------------

    def normalize_username(self, username: str) -> str:
        """Return the name under which the hub knows `username`: lower case, composed, then username_map."""
        name = fold_name(username)
        return self.username_map.get(name, name)

    def validate_username(self, username: str) -> bool:
        """Tell whether a normalised name may name a user."""
        try:
            check_user_name(username)
        except Invalid:
            return False
        return not self.username_regex or bool(self.username_regex.match(username))

    def check_blocked_users(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Tell whether the name is free of any block."""
        return not self.standing(username).blocked

    def check_allowed(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Tell whether the name is admitted."""
        return decide(self.standing(username)).admitted

    def check_allow_config(self) -> None:
        """Warn when no rule admits anybody; called once at start-up."""
        if not self.any_allow_config:
            self.log.warning("No allow rule: %s", NO_RULE)

    def standing(self, username: str) -> Standing:
        """Return what the configuration says about a normalised name."""
        return Standing(
            blocked=self._listed("blocked_users", username) or self._blocked_in_any_case(username),
            admin=self._listed("admin_users", username),
            allow_all=self.allow_all,
            listed=self._listed("allowed_users", username),
            exists=self.allow_existing_users and username in self._existing,
            any_rule=self.any_allow_config,
        )

    def is_listed_admin(self, username: str) -> bool:
        """Tell whether the configuration makes an admin of whoever has this normalised name."""
        return self._listed("admin_users", username)

    # -- the pages -----------------------------------------------------------------------------------------

    def login_url(self, base_url: str) -> str:
        """Return where logging in begins; `base_url` is the hub's."""
        return f"{base_url.rstrip('/')}/login"

    def logout_url(self, base_url: str) -> str:
        """Return where logging out begins; `base_url` is the hub's."""
        return f"{base_url.rstrip('/')}/logout"

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return Tornado handlers (path, class) to add or put in place of the hub's pages."""
        return []

    def get_custom_html(self, base_url: str) -> str:
        """Return the log-in form's own HTML, or an empty string for the usual form."""
        return self.custom_html

    @property
    def login_form(self) -> bool:
        """Whether the log-in page asks for a name and a password."""
        return not self.login_service

    # -- what the hub calls --------------------------------------------------------------------------------

    async def get_authenticated_user(self, handler: Any, data: Any) -> AuthModel | None:
        """Return the checked auth_model of somebody who logs in, or None when they are refused."""
        outcome = await self.examine(handler, data)
        return None if isinstance(outcome, Refusal) else outcome

    async def examine(self, handler: Any, data: Any, exists: Exists | None = None) -> AuthModel | Refusal:
        """Return the checked auth_model of somebody who logs in, or why they are refused.

        `exists` answers for `allow_existing_users`. Exceptions of overridden methods pass through.
        """
        typed = str((data or {}).get("username", ""))
        model = read_answer(await self._calls.authenticate(self, handler, data))
        if model is None:
            return refuse_credentials(typed)
        # Here and nowhere else: normalising twice would follow username_map twice.
        name = model["name"] = self.normalize_username(model["name"])
        if not self.validate_username(name):
            return Refusal("Invalid username or password", f"{show(name)} is not a valid user name")
        if not await resolve(call_fitting(self.check_blocked_users, name, model)):
            return refuse_admission(name, "blocked")
        if exists is not None and self.allow_existing_users:
            if await exists(name):
                self._remember(name)
            else:
                self._forget(name)
        if not await resolve(call_fitting(self.check_allowed, name, model)):
            found = decide(self.standing(name))
            return refuse_admission(name, "check_allowed said no" if found.admitted else found.why)
        if model["admin"] is None:
            model["admin"] = await resolve(self.is_admin(handler, model))
        return await self._after_checks(handler, model)

    async def run_post_auth_hook(self, handler: Any, auth_model: AuthModel) -> Any:
        """Return what post_auth_hook makes of the auth_model; the model itself when no hook is set."""
        if self.post_auth_hook is None:
            return auth_model
        return await resolve(self.post_auth_hook(self, handler, auth_model))

    async def add_user_now(self, name: str) -> None:
        """Call `add_user` for a user by that name; raise Invalid, with the reason, when it refuses."""
        try:
            await resolve(self.add_user(NamedUser(name)))
        except CarrelError:
            raise
        except Exception as error:
            raise Invalid(f"The authenticator refused user {show(name)}: {show(error)}") from error

    async def delete_user_now(self, name: str) -> None:
        """Call `delete_user` for a user by that name; what it raises is logged, for the user is gone."""
        try:
            await resolve(self.delete_user(NamedUser(name)))
        except Exception as error:
            self.log.error("delete_user failed for %s: %s", show(name), show(error))

    def close(self) -> None:
        """Give back threads and connections; the hub calls it once, when it stops."""

    # -- old names -----------------------------------------------------------------------------------------

    def check_whitelist(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Old name of check_allowed."""
        return Authenticator.check_allowed(self, username, authentication)

    def check_blacklist(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Old name of check_blocked_users."""
        return Authenticator.check_blocked_users(self, username, authentication)

    @observe(*_RENAMED_TRAITS)
    def _merge_renamed_trait(self, change: Any) -> None:
        new = _RENAMED_TRAITS[change.name]
        self.log.warning(
            "%s.%s is deprecated: use %s.%s", type(self).__name__, change.name, type(self).__name__, new
        )
        setattr(self, new, getattr(self, new) | change.new)

    def _adopt_renamed_methods(self) -> None:
        for old, new in _RENAMED_METHODS.items():
            own, inherited = getattr(type(self), old, None), getattr(Authenticator, old, None)
            if own is None or own is inherited or is_ours(own):
                continue
            self.log.warning("%s.%s is deprecated: override %s", type(self).__name__, old, new)
            setattr(self, new, getattr(self, old))

    # -- inside --------------------------------------------------------------------------------------------

    @default("allow_existing_users")
    def _default_allow_existing_users(self) -> bool:
        return bool(self.allowed_users)

    @default("any_allow_config")
    def _default_any_allow_config(self) -> bool:
        for name, trait in self.traits(config=True).items():
            if trait.metadata.get("allow_config", name.startswith("allow")) and getattr(self, name):
                return True
        return False

    @observe("username_pattern")
    def _compile_pattern(self, change: Any) -> None:
        try:
            self.username_regex = re.compile(change.new) if change.new else None
        except re.error as error:
            raise TraitError(f"username_pattern is not a regular expression: {error}") from error

    def _listed(self, trait: str, name: str) -> bool:
        names: set[str] = getattr(self, trait)
        return name in names or name in self._normalised(trait, names, self.normalize_username)

    def _blocked_in_any_case(self, name: str) -> bool:
        # A plug-in may keep the case of names; a block must not be evaded by writing the name differently.
        return fold_name(name) in self._normalised("blocked", self.blocked_users, fold_name)

    def _normalised(self, key: str, names: set[str], form: Callable[[str], str]) -> frozenset[str]:
        cached = self._folded.get(key)
        if cached is None or cached[0] != names:
            cached = self._folded[key] = (frozenset(names), frozenset(map(form, names)))
        return cached[1]

    def _remember(self, name: str) -> None:
        # Plug-ins that override check_allowed look existing users up in allowed_users, as JupyterHub's do.
        if name not in self.allowed_users:
            self._existing.add(name)
            self.allowed_users.add(name)

    def _forget(self, name: str) -> None:
        if name in self._existing:
            self._existing.discard(name)
            self.allowed_users.discard(name)

    async def _after_checks(self, handler: Any, model: AuthModel) -> AuthModel | Refusal:
        name = model["name"]
        model = await self.run_post_auth_hook(handler, model)
        if not model:
            return refuse_admission(name, "post_auth_hook returned nothing")
        return model
