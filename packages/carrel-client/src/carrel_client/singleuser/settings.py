"""The hub's wishes in Jupyter's terms: configuration, response headers and where configuration is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform
from traitlets.config import Config

from carrel_client.auth.hub import VERSION_HEADER
from carrel_client.singleuser.environment import HubEnvironment

#: The release of JupyterHub whose wire contract this server speaks.
WIRE_VERSION = "6.1.1"

_CSP = "frame-ancestors 'none'"


def hub_wishes(environment: HubEnvironment) -> Config:
    """Return what the hub sets over configuration files and under the command line's options."""
    config = Config()
    server = config.ServerApp
    server.ip = environment.ip
    server.port = environment.port
    # The hub stops servers, from its home page; Lab's own log-out would stand beside the hub's.
    server.quit_button = False
    server.default_url = environment.default_url or ("/lab" if find_spec("jupyterlab") else "/")
    if environment.root_dir:
        server.root_dir = os.path.expanduser(environment.root_dir)
    if environment.debug:
        server.log_level = "DEBUG"
    if environment.tls is not None:
        server.keyfile = environment.tls.keyfile
        server.certfile = environment.tls.certfile
        server.client_ca = environment.tls.client_ca
    return config


def hub_rules(environment: HubEnvironment) -> Config:
    """Return what nothing may override: who gets in, and how the server sits behind its proxy."""
    config = Config()
    server = config.ServerApp
    server.base_url = environment.prefix
    server.identity_provider_class = "carrel_client.singleuser.identity.HubIdentityProvider"
    server.allow_unauthenticated_access = False
    server.disable_check_xsrf = False
    server.allow_remote_access = True
    server.trust_xheaders = True
    server.open_browser = False
    server.port_retries = 0
    return config


def default_headers(given: Mapping[str, str]) -> dict[str, str]:
    """Return `given` response headers with the defaults of a server behind a hub beneath them."""
    return {"Content-Security-Policy": _CSP, **given}


def without_user_paths(paths: Iterable[str], *places: str) -> list[str]:
    """Return the paths that the user of this process cannot write to by owning a home directory.

    Paths in one of `places` are dropped, except those of the running Python installation.
    """
    roots = [Path(place).resolve() for place in places if place]
    own = Path(sys.prefix).resolve()
    return [path for path in paths if _is_kept(Path(path).resolve(), roots, own)]


def _is_kept(path: Path, roots: list[Path], own: Path) -> bool:
    return path.is_relative_to(own) or not any(path.is_relative_to(root) for root in roots)


class HubHeaders(OutputTransform):
    """Adds the headers of a server behind a hub to every response, whichever extension answers.

    A hub that waits for the server reads the version from its first reply.
    """

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers[VERSION_HEADER] = WIRE_VERSION
        headers.setdefault("Content-Security-Policy", _CSP)
        return status_code, headers, chunk
