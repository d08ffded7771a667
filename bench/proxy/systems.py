"""The proxies: how each is started, and with which configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.dataplane.authority import Certificate
from tests.rigs.systems import CHP

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])


@dataclass(frozen=True, slots=True)
class Setup:
    """What one proxy is started for."""

    directory: Path
    port: int
    api_port: int
    #: Loopback ports of the servers behind; the routes are spread over them.
    servers: tuple[int, ...]
    users: int
    #: None is plain HTTP.
    certificate: Certificate | None = None
    #: Where a proxy that can keeps its routes.
    storage: Path | None = None

    def routes(self) -> dict[str, int]:
        """Return the path of each user's server and the port that it leads to."""
        return {f"/user/user-{number}": self.port_of(number) for number in range(self.users)}

    def port_of(self, number: int) -> int:
        """Return the port behind a user's route."""
        return self.servers[number % len(self.servers)]


class System(Protocol):
    """One proxy program."""

    @property
    def name(self) -> str:
        """Return what `--only` calls it."""

    @property
    def title(self) -> str:
        """Return what the tables call it."""

    @property
    def warm_seconds(self) -> float:
        """Return how long it has to work before its CPU time per request stays the same."""

    @property
    def has_api(self) -> bool:
        """Return whether routes are set over the REST API; if not, they are in the configuration."""

    @property
    def keeps_routes(self) -> bool:
        """Return whether the routes outlive it."""

    def missing(self) -> str:
        """Return what is not installed; empty when the proxy can run."""

    def version(self) -> str:
        """Return the version of the installed program."""

    def command(self, setup: Setup) -> list[str]:
        """Write the configuration, if any, and return the command that runs in the foreground."""


@dataclass(frozen=True, slots=True)
class RestProxy:
    """A proxy with configurable-http-proxy's flags and REST API, everything else at its defaults."""

    name: str
    title: str
    program: tuple[str, ...]
    warm_seconds: float
    has_api: bool = True
    keeps_routes: bool = False

    def missing(self) -> str:
        """Return the program's path when it is not there."""
        return "" if Path(self.program[0]).exists() else self.program[0]

    def version(self) -> str:
        """Return the version of the installed program."""
        return _ask_version(*self.program, "--version")

    def command(self, setup: Setup) -> list[str]:
        """Return the command; the routes follow over the REST API."""
        public = ["--ip", "127.0.0.1", "--port", str(setup.port)]
        api = ["--api-ip", "127.0.0.1", "--api-port", str(setup.api_port)]
        storage = ["--storage", str(setup.storage)] if setup.storage else []
        tls = setup.certificate.flags() if setup.certificate else []
        return [*self.program, *public, *api, *storage, *tls]


class Nginx:
    """nginx as one would configure it for notebooks; each route is a location."""

    name = title = "nginx"
    warm_seconds = 1.0
    has_api = False
    #: They are in its configuration: whoever restarts it writes none.
    keeps_routes = False

    def missing(self) -> str:
        """Return the program's name when it is not there."""
        return _missing("nginx")

    def version(self) -> str:
        """Return the version of the installed program."""
        return _ask_version(_find("nginx"), "-v")

    def command(self, setup: Setup) -> list[str]:
        """Write nginx.conf and return the command."""
        upstreams = (
            f"  upstream behind-{port} {{\n"
            f"    server 127.0.0.1:{port}; keepalive 64; keepalive_requests 1000000000;\n  }}\n"
            for port in setup.servers
        )
        locations = (
            f"    location {path}/ {{ proxy_pass http://behind-{port}; }}\n"
            for path, port in setup.routes().items()
        )
        config = setup.directory / "nginx.conf"
        config.write_text(
            _NGINX.format(
                directory=setup.directory,
                # Started by root, the worker would be another user, whom the directory is closed to.
                user="user root;" if os.geteuid() == 0 else "",
                listen=f"{setup.port} ssl" if setup.certificate else setup.port,
                tls=_nginx_tls(setup.certificate),
                upstreams="".join(upstreams),
                locations="".join(locations),
            )
        )
        return [_find("nginx"), "-c", str(config), "-e", str(setup.directory / "error.log")]


class HAProxy:
    """HAProxy with its routes in a map, one thread."""

    name = "haproxy"
    title = "HAProxy"
    warm_seconds = 1.0
    has_api = False
    keeps_routes = False

    def missing(self) -> str:
        """Return the program's name when it is not there."""
        return _missing("haproxy")

    def version(self) -> str:
        """Return the version of the installed program."""
        return _ask_version(_find("haproxy"), "-v")

    def command(self, setup: Setup) -> list[str]:
        """Write haproxy.cfg with its map and return the command."""
        routes, config = setup.directory / "routes.map", setup.directory / "haproxy.cfg"
        routes.write_text("".join(f"{path}/ behind-{port}\n" for path, port in setup.routes().items()))
        bind = f"127.0.0.1:{setup.port}"
        if setup.certificate:
            both = setup.directory / "both.pem"
            both.write_text(setup.certificate.cert.read_text() + setup.certificate.key.read_text())
            bind += f" ssl crt {both}"
        backends = (f"backend behind-{port}\n    server it 127.0.0.1:{port}\n" for port in setup.servers)
        config.write_text(_HAPROXY.format(bind=bind, routes=routes, backends="".join(backends)))
        return [_find("haproxy"), "-db", "-f", str(config)]


def all_systems(workers: int | None = None) -> tuple[System, ...]:
    """Return the four proxies, carrel-proxy first, installed or not.

    Without a number of workers carrel-proxy has as many as its cores: one where it is pinned to one.
    """
    ours = (sys.executable, "-m", "carrel.dataplane", *(("--workers", str(workers)) if workers else ()))
    carrel = RestProxy("carrel", "carrel-proxy", ours, 2.0, keeps_routes=True)
    # V8 goes on compiling for seconds.
    chp = RestProxy("chp", "configurable-http-proxy", (str(CHP),), 10.0)
    return carrel, chp, Nginx(), HAProxy()


def _nginx_tls(certificate: Certificate | None) -> str:
    if certificate is None:
        return ""
    files = f"ssl_certificate {certificate.cert}; ssl_certificate_key {certificate.key};"
    return f"{files} ssl_protocols TLSv1.2 TLSv1.3;"


def _find(program: str) -> str:
    return shutil.which(program, path=_PATH) or program


def _missing(program: str) -> str:
    return "" if shutil.which(program, path=_PATH) else program


def _ask_version(*command: str) -> str:
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"\d+\.\d+(\.\d+)*", told.stdout + told.stderr)
    return found[0] if found else "?"


_NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_http_version 1.1;
  proxy_read_timeout 1h;
  proxy_send_timeout 1h;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
{upstreams}
  server {{
    listen 127.0.0.1:{listen};
    {tls}
{locations}
  }}
}}
"""
_HAPROXY = """\
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    http-reuse always
    timeout connect 10s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend public
    bind {bind}
    option forwardfor
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
    use_backend %[path,map_beg({routes})]
{backends}
"""
