"""Skips that say why, and that become failures where everything is expected to be there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Virtual environments and other things that `make test` and `make bench` build once.
CACHE = Path(os.environ.get("CARREL_CACHE", ROOT / ".cache"))


def need(present: object, what: str) -> None:
    """Skip the test when `present` is false, naming `what` is missing; with CARREL_NEED_ALL=1 fail it."""
    if present:
        return
    reason = f"{what} is not here; `make test` as root installs it"
    if os.environ.get("CARREL_NEED_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
