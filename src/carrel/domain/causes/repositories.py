"""A server that was to start from a Git repository: what the program says that gets it ready."""

from __future__ import annotations

from carrel.domain.causes.rule import BEFORE_ANSWER, End, Rule

_FAILED = r"^\[repository failed\] (?P<reason>.+)"
_ENDED = frozenset({End.ENDED})

RULES = (
    Rule(
        "repository",
        "{reason}",
        "{advice}",
        says=(_FAILED, r"^\[repository hint\] (?P<advice>.+)"),
        stages=BEFORE_ANSWER,
        ends=_ENDED,
    ),
    Rule(
        "repository",
        "{reason}",
        "Start it again; if it fails again, ask the author of the repository.",
        says=_FAILED,
        stages=BEFORE_ANSWER,
        ends=_ENDED,
    ),
    Rule(
        "repository-program-missing",
        "The program that gets repositories ready is not installed where the server runs.",
        "The administrator has to install it there: pip install 'carrel-client[repositories]'.",
        says=r"No module named '?carrel_client\.repository'?|carrel-repository: (?:command )?not found",
        stages=BEFORE_ANSWER,
        ends=_ENDED,
    ),
    Rule(
        "repository-program-missing",
        "The image has no program that gets repositories ready.",
        "The administrator has to put it there: git, and pip install 'carrel-client[repositories]'.",
        # What Docker says, what Podman says, and what the engine's init says.
        says=r"exec: \\?[\"']?[^\s\"'\\]*carrel-repository\\?[\"']?: "
        r"|executable file [\"'`]?[^\s\"'`]*carrel-repository\b|exec \S*carrel-repository failed",
        stages=BEFORE_ANSWER,
    ),
)
