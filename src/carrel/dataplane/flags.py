"""The command line as a table: configurable-http-proxy's flags, each of them, and Carrel's own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.dataplane.limits import Limits
from carrel.dataplane.targets import BadTargetError, Target, parse_target

_LIMITS = Limits()
MOST_WORKERS = 64
_LEVELS = ("debug", "info", "warn", "warning", "error")


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. Without `read` it takes no value; a `note` says what happens instead of what was asked."""

    name: str
    help: str
    read: Callable[[str], object] | None = None
    metavar: str = "VALUE"
    default: object = None
    note: str = ""
    repeats: bool = False

    @property
    def key(self) -> str:
        """Return the name of the parsed value."""
        return self.name.replace("-", "_")

    def arguments(self) -> dict[str, Any]:
        """Return what argparse is told."""
        if self.read is None:
            return {"action": "store_true", "help": self.help}
        told = {"type": self.read, "metavar": self.metavar, "help": self.help, "default": self.default}
        return told | ({"action": "append"} if self.repeats else {})


def port(text: str) -> int:
    """Read a port number."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def target(text: str) -> Target:
    """Read the URL of a server."""
    try:
        return parse_target(text)
    except BadTargetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def seconds(text: str) -> float:
    """Read a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def seconds_or_none(text: str) -> float:
    """Read a time in seconds, or 0 for none."""
    return 0.0 if text == "0" else seconds(text)


def milliseconds(text: str) -> float:
    """Read a time in milliseconds into seconds; 0 is no limit."""
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of milliseconds")
    return int(text) / 1000


def workers(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_WORKERS}")
    return int(text)


def size(text: str) -> int:
    """Read a number of bytes."""
    if not text.isdecimal() or int(text) < 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes of at least 1024")
    return int(text)


def header(text: str) -> tuple[bytes, bytes]:
    """Read `NAME:VALUE`."""
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    plain = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    if not colon or not plain or not value.isprintable() or not value.isascii():
        raise argparse.ArgumentTypeError(f"{text!r} is not a header as NAME:VALUE")
    framing = ("connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive")
    if name.lower() in framing:
        raise argparse.ArgumentTypeError(f"the header {name} belongs to the connection and cannot be set")
    return name.encode(), value.encode()


def scheme(text: str) -> str:
    """Read `http` or `https`."""
    lowered = text.lower().removesuffix("://").removesuffix(":")
    if lowered not in ("http", "https"):
        raise argparse.ArgumentTypeError(f"{text!r} must be 'http' or 'https'")
    return lowered


def level(text: str) -> str:
    """Read a log level."""
    if text.lower() not in _LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} must be one of {', '.join(_LEVELS)}")
    return "warning" if text.lower() == "warn" else text.lower()


def _tls(prefix: str, whose: str, *, notes: tuple[str, str] = ("", "")) -> tuple[Flag, ...]:
    return (
        Flag(f"{prefix}ssl-key", f"TLS key {whose}", Path, "FILE"),
        Flag(f"{prefix}ssl-cert", f"TLS certificate {whose}, with its chain", Path, "FILE"),
        Flag(
            f"{prefix}ssl-ca",
            f"authority that signs the certificates of the other side, {whose}",
            Path,
            "FILE",
        ),
        Flag(f"{prefix}ssl-request-cert", f"ask the other side for a certificate, {whose}", note=notes[0]),
        Flag(f"{prefix}ssl-reject-unauthorized", f"refuse those without a good one, {whose}", note=notes[1]),
    )


_ALWAYS = "certificates are always verified, unless --insecure is given"

#: Every flag of configurable-http-proxy 5.3.
CHP = (
    Flag("ip", "address to listen on; all when not given", str, "ADDRESS"),
    Flag("port", "port to listen on, 0 for a free one (default: 8000)", port, "PORT"),
    Flag("socket", "Unix socket to listen on, instead of an address and a port", Path, "FILE"),
    *_tls("", "for browsers"),
    Flag("ssl-protocol", "the only TLS version to speak: TLSv1_2 or TLSv1_3", str, "VERSION"),
    Flag("ssl-ciphers", "TLS 1.2 ciphers, in OpenSSL's notation", str, "LIST"),
    Flag("ssl-allow-rc4", "accepted and ignored", note="RC4 is broken and is not offered"),
    Flag("ssl-dhparam", "Diffie-Hellman parameters", Path, "FILE"),
    Flag("api-ip", "address of the REST API (default: 127.0.0.1)", str, "ADDRESS"),
    Flag("api-port", "port of the REST API (default: the port plus one)", port, "PORT"),
    Flag("api-socket", "Unix socket of the REST API, instead of an address and a port", Path, "FILE"),
    *_tls("api-", "for the REST API"),
    *_tls("client-", "for https targets", notes=("servers always show theirs", _ALWAYS)),
    Flag("default-target", "where requests go that no other route takes", target, "URL"),
    Flag("error-target", "where error pages come from, as URL/STATUS?url=PATH", target, "URL"),
    Flag("error-path", "directory of error pages: STATUS.html or error.html", Path, "DIRECTORY"),
    Flag("redirect-port", "send plain HTTP on this port to HTTPS", port, "PORT"),
    Flag("redirect-to", "port to name in these redirects (default: the port)", port, "PORT"),
    Flag("pid-file", "write the process id here", Path, "FILE"),
    Flag("no-x-forward", "add no X-Forwarded headers"),
    Flag("no-prepend-path", "put no path of a target before a request's own"),
    Flag("no-include-prefix", "leave the part of the path out that the route was found by"),
    Flag("auto-rewrite", "lead redirects that name the target to the address that was asked"),
    Flag("change-origin", "name the target in the Host header"),
    Flag("protocol-rewrite", "scheme for redirects that name the target", scheme, "SCHEME"),
    Flag("custom-header", "set this header in every request; repeatable", header, "NAME:VALUE", repeats=True),
    Flag("insecure", "do not verify the certificates of https targets"),
    Flag("host-routing", "the first segment of a route is a host"),
    Flag("metrics-ip", "address of /metrics (default: all)", str, "ADDRESS"),
    Flag("metrics-port", "port of /metrics, which is off without", port, "PORT"),
    Flag("metrics-socket", "Unix socket of /metrics, instead of an address and a port", Path, "FILE"),
    Flag("log-level", "debug, info (the default), warn or error", level, "LEVEL", "info"),
    Flag("timeout", "cut a request on which nothing moves for so long", milliseconds, "MILLISECONDS", 0.0),
    Flag(
        "proxy-timeout", "answer 503 when a server is silent for so long", milliseconds, "MILLISECONDS", 0.0
    ),
    Flag(
        "storage-backend",
        "accepted and ignored; see --storage",
        str,
        "MODULE",
        note="a JavaScript module cannot be loaded: routes are in memory, and on disk with --storage FILE",
    ),
    Flag("keep-alive-timeout", "close idle connections of browsers after", milliseconds, "MILLISECONDS", 0.0),
)

OWN = (
    Flag(
        "workers",
        "processes that share the port and one table of routes; with 1, the one with the REST API forwards "
        "(default: one for each core that this process may use, at most 4)",
        workers,
        "N",
    ),
    Flag("storage", "keep the routes in this file and serve them at the next start", Path, "FILE"),
    Flag("status-file", "write process id and ports here once both ports are open", Path, "FILE"),
    Flag("log-file", "log to this file instead of standard error", Path, "FILE"),
    Flag("header-timeout", "time for a request's head", seconds, "SECONDS", _LIMITS.header_seconds),
    Flag("connect-timeout", "time to reach a server", seconds, "SECONDS", _LIMITS.connect_seconds),
    Flag(
        "error-page-cache",
        "show a page of --error-target for so long to everybody below one route; 0 asks for each visitor",
        seconds_or_none,
        "SECONDS",
        5.0,
    ),
    Flag("max-header-bytes", "size of a request's head", size, "BYTES", _LIMITS.header_bytes),
)

FLAGS = CHP + OWN
