"""Where well-known plug-ins come from: entry points and modules, each with the package that has it."""

from __future__ import annotations

from collections.abc import Mapping

_OAUTH = (
    *("github", "gitlab", "google", "globus", "cilogon", "auth0", "azuread", "bitbucket", "generic-oauth"),
    *("openshift", "okpy", "mediawiki"),
)

#: Short names and top-level modules of authenticators.
AUTHENTICATOR_PACKAGES: Mapping[str, str] = {
    **dict.fromkeys(_OAUTH, "oauthenticator"),
    **{f"local-{name}": "oauthenticator" for name in _OAUTH},
    "oauthenticator": "oauthenticator",
    "native": "jupyterhub-nativeauthenticator",
    "nativeauthenticator": "jupyterhub-nativeauthenticator",
    "ldap": "jupyterhub-ldapauthenticator",
    "ldapauthenticator": "jupyterhub-ldapauthenticator",
    "firstuseauthenticator": "jupyterhub-firstuseauthenticator",
    "tmp": "jupyterhub-tmpauthenticator",
    "tmpauthenticator": "jupyterhub-tmpauthenticator",
    "lti11": "jupyterhub-ltiauthenticator",
    "lti13": "jupyterhub-ltiauthenticator",
    "ltiauthenticator": "jupyterhub-ltiauthenticator",
    "multiauthenticator": "jupyterhub-multiauthenticator",
}

#: Short names and top-level modules of spawners.
SPAWNER_PACKAGES: Mapping[str, str] = {
    "docker": "dockerspawner",
    "docker-swarm": "dockerspawner",
    "docker-system-user": "dockerspawner",
    "dockerspawner": "dockerspawner",
    "kubespawner": "jupyterhub-kubespawner",
    "sudospawner": "sudospawner",
    "systemd": "jupyterhub-systemdspawner",
    "systemdspawner": "jupyterhub-systemdspawner",
    "batchspawner": "batchspawner",
    "wrapspawner": "wrapspawner",
    "yarnspawner": "jupyterhub-yarnspawner",
}

#: Short names and top-level modules of proxies.
PROXY_PACKAGES: Mapping[str, str] = {
    **dict.fromkeys(
        ("traefik_file", "traefik_etcd", "traefik_consul", "traefik_redis", "traefik_toml"),
        "jupyterhub-traefik-proxy",
    ),
    "jupyterhub_traefik_proxy": "jupyterhub-traefik-proxy",
    "kubespawner": "jupyterhub-kubespawner",
}


def package_of(module: str) -> str | None:
    """Return the package that has a well-known plug-in's module, None for any other module."""
    top = module.partition(".")[0]
    tables = (AUTHENTICATOR_PACKAGES, SPAWNER_PACKAGES, PROXY_PACKAGES)
    return next((table[top] for table in tables if top in table), None)
