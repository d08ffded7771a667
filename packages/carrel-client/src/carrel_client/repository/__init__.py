"""`carrel-repository`: a Git repository and its environment made ready, then the server's own command.

It runs as the first phase of a server's process, with the rights of its user and within the server's limits.
What it does is told in lines of the log that `report` defines, so that a hub can show them.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Make a repository ready and become the command behind `--`; `argv` is by default the command line's.

    Does not return: the process goes on as the command, or ends with SystemExit (1 with a line that says why,
    130 or 143 after SIGINT or SIGTERM).
    """
    from carrel_client.repository.command import run

    run(argv)
