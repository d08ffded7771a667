"""Waiting for another start of the same user that works on the same thing."""

from __future__ import annotations

import fcntl
import time

from carrel_client.repository.programs import Limits
from carrel_client.repository.report import Report

_LOOK = 0.2


def lock(descriptor: int, limits: Limits, report: Report) -> None:
    """Return when the lock of an open file is ours alone. Raises Failed when the time is over.

    Some network file systems know no locks: there it is nobody's, and what is renamed into place stays whole.
    """
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                report.step("Waiting for another server of yours that does the same")
                told = True
            limits.check()
            time.sleep(_LOOK)
        except OSError:
            return
        else:
            return
