"""The entry of the process: `carrel-proxy`, or `python -m carrel.dataplane`."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Sequence

from carrel.dataplane.listeners import CannotListenError
from carrel.dataplane.logs import make_log
from carrel.dataplane.options import parse_options
from carrel.dataplane.process import run
from carrel.dataplane.tls import BadTlsError

EXIT_FAILED = 1
EXIT_CANNOT_LISTEN = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the data plane until it is stopped.

    Returns the exit status: 0 after a stop, 5 when a port cannot be had, 1 for a file or a certificate.
    Bad usage exits with 2.
    """
    options = parse_options(arguments)
    token = os.environ.get("CONFIGPROXY_AUTH_TOKEN", "")
    _allow_many_descriptors()
    try:
        log = make_log(options.log_level, options.log_file)
        run(options, sys.argv[1:] if arguments is None else arguments, token, log)
    except CannotListenError as error:
        return _complain(str(error), EXIT_CANNOT_LISTEN)
    except (OSError, BadTlsError) as error:
        return _complain(str(error), EXIT_FAILED)
    return 0


def _allow_many_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _complain(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        os.write(2, f"carrel-proxy: {message}\n".encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
