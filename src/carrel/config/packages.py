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
    "dockerspawner": "dockerspawner",
    "kubespawner": "jupyterhub-kubespawner",
    "sudospawner": "sudospawner",
    "systemd": "jupyterhub-systemdspawner",
    "systemdspawner": "jupyterhub-systemdspawner",
    "batchspawner": "batchspawner",
    "wrapspawner": "wrapspawner",
    "yarnspawner": "jupyterhub-yarnspawner",
}

#: Classes of spawner packages, each with the built-in that has the same settings.
SPAWNER_ANSWERS: Mapping[str, str] = {
    "dockerspawner.DockerSpawner": "docker",
    "dockerspawner.SystemUserSpawner": "docker-system-user",
    "dockerspawner.SwarmSpawner": "docker-swarm",
    "kubespawner.KubeSpawner": "kubernetes",
    "kubespawner.spawner.KubeSpawner": "kubernetes",
    "sudospawner.SudoSpawner": "sudo",
    "batchspawner.SlurmSpawner": "slurm",
    "batchspawner.MultiSlurmSpawner": "slurm",
    "batchspawner.PBSSpawner": "pbs",
    "batchspawner.TorqueSpawner": "torque",
    "batchspawner.GridengineSpawner": "gridengine",
    "batchspawner.LsfSpawner": "lsf",
    "batchspawner.CondorSpawner": "htcondor",
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


def advice_on(module: str) -> str:
    """Return what to do about a well-known plug-in's module that is not there, empty for any other."""
    package = package_of(module)
    if package is None:
        return ""
    top = module.partition(".")[0]
    own = next((name for cls, name in SPAWNER_ANSWERS.items() if cls.startswith(f"{top}.")), "")
    instead = f", or use the built-in: c.JupyterHub.spawner_class = {own!r}" if own else ""
    return f"pip install {package}{instead}"
