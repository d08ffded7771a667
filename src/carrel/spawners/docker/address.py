"""Where an engine is and how it is spoken to, from settings and the variables that `docker` obeys."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carrel.spawners.errors import StartError

_DEFAULT = "unix:///var/run/docker.sock"
_TIMEOUT = 60.0
#: Settings of old: `tls_NAME`.
OLD_TLS = ("ca", "cert", "key", "verify", "assert_hostname")
#: What docker-py takes as well, and what has no meaning here.
_IGNORED = {"version", "user_agent", "num_pools", "credstore_env", "use_ssh_client", "max_pool_size"}


@dataclass(frozen=True, slots=True)
class Tls:
    """Whose certificate is believed, and the one that is shown."""

    ca: str = ""
    """A file; empty means whatever the machine believes."""
    cert: str = ""
    key: str = ""
    verify: bool = True
    check_name: bool = True
    """Whether the certificate has to be for the engine's host."""

    def context(self) -> ssl.SSLContext:
        """Return what connections are made with; raises StartError for files that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            named = ", ".join(name for name in (self.ca, self.cert, self.key) if name)
            raise StartError(
                f"The certificates for the Docker engine cannot be used ({named}): {error}.",
                hint="The administrator has to correct c.DockerSpawner.tls_config, or DOCKER_CERT_PATH.",
            ) from error
        context.check_hostname = self.verify and self.check_name
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """One engine."""

    url: str
    """`unix:///path`, or `http(s)://host:port`."""
    tls: Tls | None = None
    timeout: float = _TIMEOUT
    """How long one call may take, in seconds."""

    @property
    def socket(self) -> str:
        """Return the path of its socket, empty when it is reached by TCP."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else ""

    @property
    def host(self) -> str:
        """Return the host where ports of containers are published; empty for this machine."""
        return "" if self.socket else urlsplit(self.url).hostname or ""


def find_engine(
    environ: Mapping[str, str], client: Mapping[str, Any], tls_config: Mapping[str, Any]
) -> EngineAddress:
    """Return the engine that settings name, else the one of the environment, else this machine's.

    `client` and `tls_config` have the names of docker-py. Raises StartError for what cannot be obeyed.
    """
    unknown = client.keys() - _IGNORED - {"base_url", "timeout", "tls"}
    if unknown:
        raise StartError(
            f"c.DockerSpawner.client_kwargs has no {sorted(unknown)[0]!r}: it takes base_url, timeout, tls."
        )
    url = str(client.get("base_url") or environ.get("DOCKER_HOST") or _DEFAULT)
    tls = _tls_of_settings(tls_config, client.get("tls")) or _tls_of_environment(environ)
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = ("unix", url) if url.startswith("/") else ("tcp", url)
    if scheme in ("unix", "http+unix"):
        return EngineAddress(f"unix:///{rest.lstrip('/')}", None, _timeout(client))
    if scheme not in ("tcp", "http", "https") or not rest:
        raise StartError(
            f"The Docker engine cannot be reached by {url!r}.",
            hint="DOCKER_HOST and c.DockerSpawner.client_kwargs['base_url'] take unix:///PATH, tcp://HOST:PORT"
            " or https://HOST:PORT.",
        )
    secure = tls is not None or scheme == "https"
    host = (
        rest.rstrip("/")
        if ":" in rest.rpartition("]")[2]
        else f"{rest.rstrip('/')}:{2376 if secure else 2375}"
    )
    chosen = (tls or Tls()) if secure else None
    return EngineAddress(f"{'https' if secure else 'http'}://{host}", chosen, _timeout(client))


def old_tls(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of old as `tls_config` has them."""
    names = {"ca": "ca_cert", "verify": "verify", "assert_hostname": "assert_hostname"}
    found = {new: given[old] for old, new in names.items() if given[old] is not None}
    return {**found, "client_cert": (given["cert"], given["key"])} if given["cert"] else found


def _timeout(client: Mapping[str, Any]) -> float:
    return float(client.get("timeout") or _TIMEOUT)


def _tls_of_settings(given: Mapping[str, Any], of_client: Any) -> Tls | None:
    if not given:
        # docker-py's own object has these as attributes.
        if of_client is None or isinstance(of_client, bool):
            return Tls() if of_client else None
        given = of_client if isinstance(of_client, Mapping) else _attributes(of_client)
    cert, key = given.get("client_cert") or ("", "")
    verify = given.get("verify")
    named = given.get("assert_hostname")
    return Tls(
        ca=str(given.get("ca_cert") or (verify if isinstance(verify, str) else "") or ""),
        cert=str(cert or ""),
        key=str(key or ""),
        verify=verify is not False,
        check_name=named is not False,
    )


def _attributes(config: Any) -> Mapping[str, Any]:
    cert = getattr(config, "cert", None)
    return {
        "client_cert": cert if isinstance(cert, tuple) else None,
        "ca_cert": getattr(config, "ca_cert", None),
        "verify": getattr(config, "verify", None),
        "assert_hostname": getattr(config, "assert_hostname", None),
    }


def _tls_of_environment(environ: Mapping[str, str]) -> Tls | None:
    verify, directory = environ.get("DOCKER_TLS_VERIFY", ""), environ.get("DOCKER_CERT_PATH", "")
    if not verify and not directory:
        return None
    place = Path(directory or Path(environ.get("HOME", "/root"), ".docker"))
    ca, cert, key = (str(place / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    return Tls(ca if verify else "", cert, key, verify=bool(verify))
