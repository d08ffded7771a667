"""What clients were told and what servers did, checked against a sequential model.

    history = History()
    asked = history.now()
    ...                                  # POST /users/ada/server
    history.start("ada", asked, status=201)
    history.began("ada", generation=1, earliest=..., latest=...)
    assert history.problems() == {}

`model.py` says what one server may do when one thing happens after the other; `checker.py` looks for an order
of what overlapped in time that the model allows; `recorder.py` turns REST answers and processes into
operations.
"""

from __future__ import annotations

from tests.history.checker import Violation, check
from tests.history.model import Kind, Operation
from tests.history.recorder import History

__all__ = ["History", "Kind", "Operation", "Violation", "check"]
