"""The flags of the limits on how much may come in at once."""

from __future__ import annotations

import argparse

from carrel.dataplane.limits import Limits

#: Flag, field of `Limits`, and why it is there.
_COUNTS = (
    ("--max-headers", "headers", "headers of a request; browsers send about 20"),
    ("--max-request-line", "line_bytes", "bytes of a request's target, with its query"),
    (
        "--max-connections-per-address",
        "per_address",
        "open connections from one address. Generous: a whole class behind one router, or everybody behind a "
        "load balancer, has one address, and each notebook holds about ten connections. It keeps one runaway "
        "program from taking every descriptor",
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


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    defaults = Limits()
    for flag, field, text in _COUNTS:
        default = getattr(defaults, field)
        shown = f"{text} (default: {default})"
        parser.add_argument(flag, dest=field, type=_count, default=default, metavar="N", help=shown)
    parser.add_argument(
        "--body-timeout",
        dest="body_seconds",
        type=_seconds,
        default=defaults.body_seconds,
        metavar="SECONDS",
        help=f"silence within a client's body or a half-closed tunnel (default: {defaults.body_seconds:g})",
    )


def limit_values(given: argparse.Namespace) -> dict[str, int]:
    """Return the counts of `Limits` that the flags set, by the names of their fields."""
    return {field: getattr(given, field) for _, field, _ in _COUNTS}


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
