"""What a storm over several hubs has done and shown."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """What a storm has done and shown."""

    kills: int = 0
    restarts: int = 0
    pauses: int = 0
    starts: int = 0
    stops: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the end of a dead hub's lease, or of a database's outage, to somebody else's work."""
    runs: int = 0
    operations: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def failed_share(self) -> float:
        """The share of the safe requests to the hub, through the data plane, that failed."""
        return 1 - self.reads["ok"] / max(1, self.reads.total())

    def __str__(self) -> str:
        lines = [
            f"hubs killed {self.kills}, paused {self.pauses}, database restarted {self.restarts}",
            f"starts asked for {self.starts}, stops {self.stops}, runs {self.runs}",
            f"safe requests {self.reads.total()}, failed {self.failed_share:.3%} {dict(self.reads)}",
            f"pages of servers {dict(self.pages)}",
            f"histories of {self.operations} operations",
        ]
        if self.takeovers:
            middle, worst = statistics.median(self.takeovers), max(self.takeovers)
            lines.append(
                f"work of dead hubs taken over {len(self.takeovers)} times, "
                f"{middle:.2f} s (median), {worst:.2f} s (worst) after the lease's end"
            )
        return "\n".join([*lines, *(f"PROBLEM: {problem}" for problem in self.problems)])
