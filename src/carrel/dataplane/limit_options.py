"""The flags of the limits on how much may come in at once."""

from __future__ import annotations

import argparse
from typing import Any

from carrel.dataplane.limits import SHARED, Limits

#: Flag, field of `Limits`, and why it is there.
_COUNTS = (
    ("--max-headers", "headers", "headers of a request; browsers send about 20"),
    ("--max-request-line", "line_bytes", "bytes of a request's target, with its query"),
    (
        "--max-connections-per-address",
        "per_address",
        "open connections from one address. Generous: a whole class behind one router, or everybody behind a "
        "load balancer, has one address, and each notebook holds about ten connections. It keeps one runaway "
        "program from taking every descriptor. Those through a Unix socket are not counted: all of them are "
        "those of a proxy in front",
    ),
    ("--max-idle-clients", "idle_clients", "clients' connections at rest; the longest idle go first"),
    ("--max-idle-upstreams", "idle_upstreams", "kept connections to servers; the longest idle go first"),
    (
        "--max-upgrades",
        "upgrades",
        "websockets that wait for their server's answer at once; open ones do not count. After a restart "
        "every tab comes back in the same second, so the number is large",
    ),
)
#: Flag, field of `Limits`, and what it bounds.
_TIMES = (
    ("--body-timeout", "body_seconds", "silence within a client's body or a half-closed tunnel"),
    ("--upgrade-timeout", "upgrade_seconds", "time for a server to answer a websocket or another upgrade"),
)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    defaults = Limits()
    for flag, field, text in _COUNTS:
        default = getattr(defaults, field)
        each = "; each of several --workers takes its share" if field in SHARED else ""
        shown = f"{text}{each} (default: {default})"
        parser.add_argument(flag, dest=field, type=_count, default=default, metavar="N", help=shown)
    for flag, field, text in _TIMES:
        default = getattr(defaults, field)
        shown = f"{text} (default: {default:g})"
        parser.add_argument(flag, dest=field, type=_seconds, default=default, metavar="SECONDS", help=shown)


def limit_values(given: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags set of `Limits`, by the names of the fields."""
    return {field: getattr(given, field) for _, field, _ in (*_COUNTS, *_TIMES)}


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds
