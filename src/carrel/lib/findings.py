"""What an examination of a machine finds: one line each, with what to change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it is."""

    FINE = "ok"
    DOUBT = "warning"
    """It works, and something speaks against it."""
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    text: str
    """What is so, in one sentence."""
    advice: str = ""
    """What to change, where something should be."""


def fine(text: str) -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(Verdict.FINE, text)


def doubt(text: str, advice: str) -> Finding:
    """Return a finding of something that works and should be otherwise."""
    return Finding(Verdict.DOUBT, text, advice)


def wrong(text: str, advice: str) -> Finding:
    """Return a finding of something that does not work, or is not safe."""
    return Finding(Verdict.WRONG, text, advice)


def unknown(text: str, advice: str) -> Finding:
    """Return a finding of something that could not be looked at."""
    return Finding(Verdict.UNKNOWN, text, advice)
