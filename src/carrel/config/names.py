"""JupyterHub's names: which are settings here, which are accepted and do nothing yet, which have moved."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from carrel.config.schema import setting_fields
from carrel.config.upstream import OTHER_SECTIONS

#: `c.JupyterHub.<name>` that is read and changes nothing in this version, and what happens instead.
NOT_USED: dict[str, str] = {
    "generate_certs": "no certificates are made",
    "init_spawners_timeout": "servers are looked at after the hub answers, so nothing waits for them",
    "internal_certs_location": "the hub and the servers speak plain HTTP",
    "external_ssl_authorities": "the hub and the servers speak plain HTTP",
    "recreate_internal_certs": "no certificates are made",
    "show_config": "use `carrel --show-config`",
    "show_config_json": "use `carrel --show-config`",
    "trusted_alt_names": "the hub and the servers speak plain HTTP",
    "upgrade_db": "the database is upgraded at start where that is safe, whatever this says",
}

#: Never settings of JupyterHub, but seen in configurations.
NO_EFFECT: dict[str, str] = {
    "allowed_users": "it has no effect here: c.Authenticator.allowed_users says who may log in",
    "cookie_options": "it has no effect: cookies have the attributes that are safe",
}

#: Names that protect something: ignoring them would leave people less safe than they believe.
REFUSED: dict[str, str] = {
    "internal_ssl": "TLS between the hub and the servers is not offered by this version: remove this line",
}

#: Old names of JupyterHub's and what took their place; None means that nothing did.
DEPRECATED: dict[str, tuple[str | None, str]] = {
    "admin_users": ("Authenticator.admin_users", "use c.Authenticator.admin_users"),
    "hub_ip_connect": ("JupyterHub.hub_connect_ip", "use c.JupyterHub.hub_connect_ip"),
    "proxy_auth_token": ("ConfigurableHTTPProxy.auth_token", "use c.ConfigurableHTTPProxy.auth_token"),
    "proxy_check_interval": (None, "not used: the routes are checked every few seconds"),
    "proxy_cmd": (
        "ConfigurableHTTPProxy.command",
        "use c.ConfigurableHTTPProxy.command; of it the options count, and are given to carrel-proxy",
    ),
    "debug_proxy": (None, "not used: c.CarrelProxy.log_level = 'debug' does it"),
    "proxy_api_ip": (None, "not used: c.ConfigurableHTTPProxy.api_url says where the proxy is steered"),
    "proxy_api_port": (None, "not used: c.ConfigurableHTTPProxy.api_url says where the proxy is steered"),
    "confirm_no_ssl": (None, "not used: plain HTTP needs no confirmation"),
    "generate_config": (None, "not used in a file: `carrel --generate-config` writes the sample"),
    "answer_yes": (None, "not used in a file: -y answers for --generate-config"),
}

#: Names that feed several settings or another one, read by the loader itself.
DERIVED = ("config_file",)

#: Deprecated traits of every authenticator. They are enforced under their new names.
AUTHENTICATOR_RENAMED = {
    "whitelist": "allowed_users",
    "blacklist": "blocked_users",
    "admin_whitelist": "admin_users",
    "group_whitelist": "allowed_groups",
}

#: Classes of the ecosystem whose sections are no typing errors though they may not be in use.
KNOWN_CLASSES = (
    "Authenticator", "LocalAuthenticator", "PAMAuthenticator", "DummyAuthenticator", "NullAuthenticator",
    "SharedPasswordAuthenticator", "OAuthenticator", "LocalOAuthenticator", "GenericOAuthenticator",
    "GitHubOAuthenticator", "LocalGitHubOAuthenticator", "GitLabOAuthenticator", "GoogleOAuthenticator",
    "AzureAdOAuthenticator", "Auth0OAuthenticator", "CILogonOAuthenticator", "BitbucketOAuthenticator",
    "GlobusOAuthenticator", "OpenShiftOAuthenticator", "MWOAuthenticator", "OkpyOAuthenticator",
    "NativeAuthenticator", "LDAPAuthenticator", "FirstUseAuthenticator", "TmpAuthenticator",
    "LTIAuthenticator", "LTI11Authenticator", "LTI13Authenticator", "MultiAuthenticator",
    "Spawner", "LocalProcessSpawner", "SimpleLocalProcessSpawner", "SimpleSpawner", "DockerSpawner",
    "SwarmSpawner", "SystemUserSpawner", "KubeSpawner", "SudoSpawner", "SystemdSpawner", "WrapSpawner",
    "ProfilesSpawner", "BatchSpawner", "BatchSpawnerBase", "SlurmSpawner", "TorqueSpawner", "CondorSpawner",
    "Proxy", "CarrelProxy", "ConfigurableHTTPProxy", "HAProxyProxy", "TraefikProxy",
    "TraefikFileProviderProxy", *OTHER_SECTIONS,
)  # fmt: skip

#: What authenticators call the settings that say who gets in, to suggest to who wrote them elsewhere.
AUTHENTICATOR_ACCESS = (
    "admin_groups",
    "admin_users",
    "allow_all",
    "allow_existing_users",
    "allowed_groups",
    "allowed_users",
    "any_allow_config",
    "blocked_users",
    *AUTHENTICATOR_RENAMED,
)

#: Old names of plug-ins' settings, for classes that have forgotten them: they warn and are no typing errors.
PLUGIN_RENAMED = {
    "container_image": "image",
    "remove_containers": "remove",
    "hub_ip_connect": "hub_connect_url",
}

#: Names of the hub's own settings that say who may do what.
HUB_ACCESS = (
    "authenticator_class",
    "admin_access",
    "admin_users",
    "allow_existing_invalid_named_servers",
    "allow_named_servers",
    "allowed_users",
    "custom_scopes",
    "extra_user_scopes",
    "load_groups",
    "load_roles",
)

_ACCESS = re.compile(r"allow|block|admin|whitelist|blacklist|deny|group|users?(_|$)", re.IGNORECASE)
_RULE = re.compile(
    r"(^|_)(allow(ed)?|block(ed)?|admins?|deny|denied|groups?|whitelist|blacklist)(_|$)", re.IGNORECASE
)
_HARMLESS = ("create_system_users", "add_user_cmd", "delete_invalid_users")
#: Settings of authenticators that keep people out under a name that does not say so.
_GATES = ("password", "username_pattern", "check_account", "open_signup", "enable_signup", "hosted_domain")
_CLOSE = 0.75


def known_names() -> set[str]:
    """Return every name that `c.JupyterHub` may carry without a doubt about what was meant."""
    return {*setting_fields(), *NOT_USED, *NO_EFFECT, *REFUSED, *DEPRECATED, *DERIVED}


def is_access(name: str) -> bool:
    """Tell whether a setting of this name, of an authenticator or the hub, would decide who gets in."""
    return name not in _HARMLESS and _ACCESS.search(name) is not None


def is_gate(name: str) -> bool:
    """Tell whether a known setting of an authenticator decides who gets in, whatever it is called."""
    return is_access(name) or name.endswith(_GATES)


def is_rule(name: str) -> bool:
    """Tell whether a setting of this name, of a spawner or proxy, would decide who may do what."""
    return _RULE.search(name) is not None


def nearest(name: str, known: Iterable[str], cutoff: float = _CLOSE) -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    by_fold = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_fold, n=1, cutoff=cutoff)
    return by_fold[found[0]] if found else None
