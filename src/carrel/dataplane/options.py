"""What the command line of `carrel-proxy` asks for, checked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from carrel.dataplane.flags import FLAGS
from carrel.dataplane.limit_options import add_limits, limit_values
from carrel.dataplane.limits import Limits
from carrel.dataplane.listeners import Endpoint
from carrel.dataplane.rewriting import Rewriting
from carrel.dataplane.targets import Target
from carrel.dataplane.tls import VERSIONS, TlsFiles

_EVERYWHERE = ""
_PORT = 8000
#: More are for whoever asks for them: each takes memory for the table.
_MOST_BY_ITSELF = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What the process was told."""

    public: Endpoint
    api: Endpoint
    #: None is no listener.
    metrics: Endpoint | None
    redirect: Endpoint | None
    redirect_to: int
    #: None is plain HTTP.
    public_tls: TlsFiles | None
    api_tls: TlsFiles | None
    client_tls: TlsFiles
    insecure: bool
    rewriting: Rewriting
    prepend_path: bool
    default_target: Target | None
    error_target: Target | None
    error_path: Path | None
    #: How long a page of the error target is shown to everybody; 0 is not at all.
    error_page_cache: float
    storage: Path | None
    status_file: Path | None
    pid_file: Path | None
    log_level: str
    log_file: Path | None
    limits: Limits
    #: Processes that forward.
    workers: int
    #: Lines for the log on flags that mean something else here.
    notes: tuple[str, ...]


def parse_options(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Options:
    """Return the options; exits with status 2 and one line on standard error when they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    _check(parser, given)
    port = _PORT if given.port is None else given.port
    api_port = given.api_port if given.api_port is not None else (port + 1 if port else 0)
    public_tls = _tls_files(given, "", environment)
    redirect = None
    if given.redirect_port is not None:
        redirect = Endpoint(_address(given.ip, _EVERYWHERE), given.redirect_port)
    return Options(
        public=Endpoint(_address(given.ip, _EVERYWHERE), port, given.socket),
        api=Endpoint(given.api_ip or "127.0.0.1", api_port, given.api_socket),
        metrics=_metrics(given),
        redirect=redirect,
        redirect_to=port if given.redirect_to is None else given.redirect_to,
        public_tls=public_tls,
        api_tls=_tls_files(given, "api_", environment),
        client_tls=_tls_files(given, "client_", environment) or TlsFiles(ca=given.client_ssl_ca),
        insecure=given.insecure,
        rewriting=_rewriting(given),
        prepend_path=not given.no_prepend_path,
        default_target=given.default_target,
        error_target=given.error_target,
        error_path=given.error_path,
        error_page_cache=given.error_page_cache,
        storage=given.storage,
        status_file=given.status_file,
        pid_file=given.pid_file,
        log_level=given.log_level,
        log_file=given.log_file,
        limits=_limits(given),
        workers=given.workers or min(_MOST_BY_ITSELF, usable_cores()),
        notes=_notes(given),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carrel-proxy",
        description="Forward browsers to the hub and to notebook servers; routes are set over a REST API.",
        epilog="The environment variable CONFIGPROXY_AUTH_TOKEN holds the token that the REST API asks for; "
        "CONFIGPROXY_SSL_KEY_PASSPHRASE, CONFIGPROXY_API_SSL_KEY_PASSPHRASE and "
        "CONFIGPROXY_CLIENT_SSL_KEY_PASSPHRASE open encrypted TLS keys.",
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=program_version())
    for flag in FLAGS:
        parser.add_argument(f"--{flag.name}", **flag.arguments())
    add_limits(parser)
    return parser


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def program_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("carrel")
    except PackageNotFoundError:
        return "unknown"


def _check(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    for prefix in ("", "api_", "metrics_"):
        values = {name: getattr(given, prefix + name) for name in ("socket", "ip", "port")}
        if values["socket"] is not None and (values["ip"] or values["port"] is not None):
            flag = f"--{prefix.replace('_', '-')}"
            parser.error(f"{flag}socket takes the place of {flag}ip and {flag}port: give one or the other")
    if given.error_target is not None and given.error_path is not None:
        parser.error("error pages come from --error-target or from --error-path: give one of them")
    for prefix in ("", "api_", "client_"):
        if getattr(given, f"{prefix}ssl_key") is not None and getattr(given, f"{prefix}ssl_cert") is None:
            flag = f"--{prefix.replace('_', '-')}ssl"
            parser.error(f"{flag}-key needs a certificate: give {flag}-cert too")
    if given.redirect_port is not None and given.ssl_cert is None:
        parser.error("--redirect-port leads to HTTPS: give --ssl-cert and --ssl-key too")


def _address(given: str | None, default: str) -> str:
    return default if given in (None, "", "*") else str(given)


def _metrics(given: argparse.Namespace) -> Endpoint | None:
    if given.metrics_socket is None and given.metrics_port is None:
        return None
    return Endpoint(_address(given.metrics_ip, _EVERYWHERE), given.metrics_port or 0, given.metrics_socket)


def _tls_files(given: argparse.Namespace, prefix: str, environment: Mapping[str, str]) -> TlsFiles | None:
    cert = getattr(given, f"{prefix}ssl_cert")
    if cert is None:
        return None
    public = prefix == ""
    return TlsFiles(
        key=getattr(given, f"{prefix}ssl_key"),
        cert=cert,
        ca=getattr(given, f"{prefix}ssl_ca"),
        request_cert=getattr(given, f"{prefix}ssl_request_cert"),
        protocol=given.ssl_protocol or "",
        ciphers=(given.ssl_ciphers or "") if public else "",
        dhparam=given.ssl_dhparam if public else None,
        passphrase=environment.get(f"CONFIGPROXY_{prefix.upper()}SSL_KEY_PASSPHRASE", ""),
    )


def _rewriting(given: argparse.Namespace) -> Rewriting:
    return Rewriting(
        headers=tuple(given.custom_header or ()),
        forwarded=not given.no_x_forward,
        include_prefix=not given.no_include_prefix,
        change_origin=given.change_origin,
        auto_location=given.auto_rewrite,
        location_protocol=given.protocol_rewrite or "",
        host_routing=given.host_routing,
    )


def _limits(given: argparse.Namespace) -> Limits:
    return Limits(
        header_bytes=given.max_header_bytes,
        header_seconds=given.header_timeout,
        keep_alive_seconds=given.keep_alive_timeout,
        silent_client_seconds=given.timeout,
        silent_server_seconds=given.proxy_timeout,
        connect_seconds=given.connect_timeout,
        **limit_values(given),
    )


def _notes(given: argparse.Namespace) -> tuple[str, ...]:
    notes = [f"--{flag.name}: {flag.note}" for flag in FLAGS if flag.note and getattr(given, flag.key)]
    if given.ssl_protocol and given.ssl_protocol not in VERSIONS:
        notes.append(f"--ssl-protocol {given.ssl_protocol}: TLS 1.2 and later are offered")
    if given.ssl_reject_unauthorized and not given.ssl_request_cert:
        notes.append("--ssl-reject-unauthorized: nobody is refused without --ssl-request-cert")
    if given.redirect_to is not None and given.redirect_port is None:
        notes.append("--redirect-to: nothing is redirected without --redirect-port")
    return tuple(notes)
