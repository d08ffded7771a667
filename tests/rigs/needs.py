"""Skips that say why, and that become failures where everything is expected to be there."""

from __future__ import annotations

import os

import pytest

from tests.rigs.systems import under_test

#: For what JupyterHub does not promise, when the suite runs against it.
only_carrel = pytest.mark.skipif(not under_test().is_carrel, reason="a promise of Carrel's alone")


def need(present: object, what: str) -> None:
    """Skip the test when `present` is false, naming `what` is missing; with CARREL_NEED_ALL=1 fail it."""
    if present:
        return
    reason = f"{what} is not here; `make test` as root installs it"
    if os.environ.get("CARREL_NEED_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
