"""The `carrel-singleuser` command: a Jupyter server that admits whom the hub admits.

Importing this package imports nothing of Jupyter and reads nothing of the environment, so a process that
has it loaded may be forked for any user.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the server of the hub's user named by the environment until it is told to stop.

    `argv` are the options of Jupyter Server and JupyterLab, by default the command line's. Raises SystemExit:
    0 after a clean stop, 1 when the environment is incomplete, the hub does not answer, or the port is taken.
    """
    from carrel_client.singleuser.command import run

    run(argv)
