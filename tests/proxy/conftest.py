"""The conformance suite's assertions are rewritten like those of any test."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("carrel.testing.conformance.proxy")
