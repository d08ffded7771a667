"""The command line of `carrel-proxy`: configurable-http-proxy's names where it has them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from carrel.dataplane.limits import Limits
from carrel.dataplane.targets import BadTargetError, Target, parse_target

_LEVELS = ("debug", "info", "warn", "warning", "error")
_HEADER_BYTES = Limits.__dataclass_fields__["header_bytes"].default
_HEADER_SECONDS = Limits.__dataclass_fields__["header_seconds"].default
_CONNECT_SECONDS = Limits.__dataclass_fields__["connect_seconds"].default


@dataclass(frozen=True, slots=True)
class Options:
    """What the process was told."""

    ip: str
    port: int
    api_ip: str
    api_port: int
    default_target: Target | None
    error_target: Target | None
    storage: Path | None
    status_file: Path | None
    pid_file: Path | None
    log_level: str
    log_file: Path | None
    limits: Limits


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; exits with status 2 and one line on standard error when they are wrong."""
    given = _parser().parse_args(arguments)
    api_port = given.api_port if given.api_port is not None else (given.port + 1 if given.port else 0)
    limits = Limits(
        header_bytes=given.max_header_bytes,
        header_seconds=given.header_timeout,
        connect_seconds=given.connect_timeout,
    )
    return Options(
        ip=given.ip if given.ip not in ("", "*") else "0.0.0.0",  # noqa: S104 - a public proxy's default
        port=given.port,
        api_ip=given.api_ip or "127.0.0.1",
        api_port=api_port,
        default_target=given.default_target,
        error_target=given.error_target,
        storage=given.storage,
        status_file=given.status_file,
        pid_file=given.pid_file,
        log_level="warning" if given.log_level == "warn" else given.log_level,
        log_file=given.log_file,
        limits=limits,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carrel-proxy",
        description="Forward browsers to the hub and to notebook servers; routes are set over a REST API.",
        epilog="The environment variable CONFIGPROXY_AUTH_TOKEN holds the token that the REST API asks for.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--ip", default="", help="address to listen on; all when not given")
    add("--port", type=_port, default=8000, help="port to listen on, 0 for a free one (default: 8000)")
    add("--api-ip", default="127.0.0.1", help="address of the REST API (default: 127.0.0.1)")
    add("--api-port", type=_port, help="port of the REST API (default: the port plus one)")
    add("--default-target", type=_target, metavar="URL", help="where requests go that no other route takes")
    add(
        "--error-target",
        type=_target,
        metavar="URL",
        help="where error pages come from, as URL/STATUS?url=PATH",
    )
    add(
        "--storage",
        type=Path,
        metavar="FILE",
        help="keep the routes in this file and serve them at the next start",
    )
    add(
        "--status-file",
        type=Path,
        metavar="FILE",
        help="write process id and ports here once both ports are open",
    )
    add("--pid-file", type=Path, metavar="FILE", help="write the process id here")
    add("--log-level", type=str.lower, choices=_LEVELS, default="info", help="what to log (default: info)")
    add("--log-file", type=Path, metavar="FILE", help="log to this file instead of standard error")
    add(
        "--header-timeout",
        type=_seconds,
        default=_HEADER_SECONDS,
        metavar="SECONDS",
        help="time for a request's head",
    )
    add(
        "--connect-timeout",
        type=_seconds,
        default=_CONNECT_SECONDS,
        metavar="SECONDS",
        help="time to reach a server",
    )
    add(
        "--max-header-bytes",
        type=_size,
        default=_HEADER_BYTES,
        metavar="BYTES",
        help="size of a request's head",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def _target(text: str) -> Target:
    try:
        return parse_target(text)
    except BadTargetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) < 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes of at least 1024")
    return int(text)
