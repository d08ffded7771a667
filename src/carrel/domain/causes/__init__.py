"""Known causes of failures, as data: one ordered table, of which the first rule that fits is the diagnosis.

Observed facts come before what a program prints, what names its cause comes before what only hints at it, and
the exit status alone comes last.
"""

from __future__ import annotations

from carrel.domain.causes import machine, network, outcomes, platforms, programs, repositories
from carrel.domain.causes.rule import Rule

RULES: tuple[Rule, ...] = (
    *outcomes.REFUSALS,
    *outcomes.CERTAIN,
    *repositories.RULES,
    *platforms.RULES,
    *network.RULES,
    *programs.COMMANDS,
    *machine.RULES,
    *programs.CONFIGURATION,
    *programs.STATUS,
    *machine.SIGNALS,
    *network.OBSERVED,
    *outcomes.GENERAL,
)
