"""`carrel-app`: any web application as a user's server, behind the hub's log-in.

It starts the application on a loopback port or a Unix socket, and stands before it: whom the hub does not let
in never reaches it. What may pass in either direction is in `headers`, who may in `gate`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the application behind `--` for the hub's user named by the environment, until either is to end.

    `argv` is by default the command line's. Raises SystemExit: 0 after a clean stop, else the application's
    own status, or 1 with a line that says why.
    """
    from carrel_client.application.command import run

    run(argv)
