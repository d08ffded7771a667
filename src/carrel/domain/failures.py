"""From what was seen of a failure to what people are told: the cause, the next step, the last lines."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from carrel.domain.causes import RULES
from carrel.domain.causes.rule import End, Rule, Stage
from carrel.domain.servers import Failure
from carrel.lib.redaction import clean, clean_lines

MOST_LINES = 50
MOST_CHARACTERS = 8192
_LONGEST_SENTENCE = 400
_LONGEST_VALUE = 200
_RECENT = 20
"""Of a server that had run, only its last lines are about its end."""
_OPTIONAL = ("memory", "processes", "image")
"""Names that a sentence also makes sense without; their values are put in brackets."""
_AGAIN = "Try again; if it fails again, show this page to the administrator."


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen of a failure."""

    stage: Stage
    end: End
    status: int | None = None
    """The exit status as the driver says it."""
    error: str = ""
    """The name of the exception's class."""
    text: str = ""
    """What the exception says."""
    hint: str = ""
    """What to do about it, when whoever raised it knows."""
    limit: float | None = None
    """The time limit that passed, in seconds."""
    log: str = ""
    """The end of what the server wrote."""
    secrets: Sequence[str] = field(default=(), repr=False)
    """What must not be shown wherever it stands."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else was seen: driver (its classes), url, prefix, port, memory, processes, step, told, away (the
    hub was, for a while), what a probe says, and what the driver found."""


def diagnose(evidence: Evidence) -> Failure:
    """Return what people are told of a failure. Secrets are taken out of everything that is quoted."""
    return next(failure for failure in diagnosing(evidence) if failure is not None)


def diagnosing(evidence: Evidence) -> Iterator[Failure | None]:
    """Yield None after each rule that has words to look for, at last what `diagnose` returns.

    All searches together take some milliseconds, and twice that when their patterns have to be compiled: who
    has others waiting lets them have their turn in between.
    """
    log = clean_lines(evidence.log, MOST_LINES, MOST_CHARACTERS, secrets=evidence.secrets)
    raised = clean_lines(evidence.text, MOST_LINES, MOST_CHARACTERS, secrets=evidence.secrets)
    text = _first_line(raised) or evidence.error
    names = _names(evidence, text, log)
    said = _Said(raised, log, evidence, names)
    for rule in RULES:
        found = said.match(rule)
        if found is not None:
            message, hint = (
                _fill(template, names | {name: value.strip() for name, value in found.items()})
                for template in (rule.message, rule.hint)
            )
            yield Failure(rule.code, message, log, hint)
            return
        if rule.patterns:
            yield None
    raise LookupError("the last rule fits everything")


def signal_of(status: int | None) -> int | None:
    """Return an exit status as Python writes it: -9 for SIGKILL, also where a shell says 137."""
    return 128 - status if status is not None and 128 < status < 160 else status


@dataclass(frozen=True, slots=True)
class _Said:
    raised: str
    log: str
    evidence: Evidence
    names: Mapping[str, str]

    def match(self, rule: Rule) -> dict[str, str] | None:
        """Return the values of a rule's groups when it fits, else None."""
        seen = self.evidence
        if seen.stage not in rule.stages or seen.end not in rule.ends:
            return None
        if rule.status and signal_of(seen.status) not in rule.status:
            return None
        if rule.error and not re.fullmatch(rule.error, seen.error):
            return None
        if not all(re.fullmatch(wanted, self.names.get(name, "")) for name, wanted in rule.facts.items()):
            return None
        groups: dict[str, str] = {}
        for pattern in rule.patterns:
            found = _last(pattern, self.raised) or _last(pattern, self._relevant)
            if found is None:
                return None
            # One name may stand for several places: path, path2, path3.
            groups |= {name.rstrip("0123456789"): value for name, value in found.groupdict().items() if value}
        return groups

    @property
    def _relevant(self) -> str:
        if self.evidence.stage is not Stage.RUNNING:
            return self.log
        return "\n".join(self.log.splitlines()[-_RECENT:])


def _last(pattern: str, text: str) -> re.Match[str] | None:
    """Return the last place where a pattern fits: what was said last is closest to the end."""
    found = None
    if not text:
        return None
    # The module's own cache compiles each pattern once, and none before the first failure.
    for match in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE):
        found = match
    return found


class _Names(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _names(evidence: Evidence, text: str, log: str) -> dict[str, str]:
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
    names = {
        "text": text,
        "status": str(evidence.status),
        "driver_hint": evidence.hint or _AGAIN,
        "said": f": {last}" if last else "",
    }
    number = -(signal_of(evidence.status) or 0)
    if number > 0:
        names["signal"] = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if evidence.limit is not None:
        names["limit"] = f"{evidence.limit:g}"
    return names | {name: value for name, value in evidence.facts.items() if value}


def _fill(template: str, names: Mapping[str, str]) -> str:
    short = {name: clean(value, _LONGEST_VALUE) for name, value in names.items()}
    short |= {name: f" ({short[name]})" if name in short else "" for name in _OPTIONAL}
    sentence = template.format_map(_Names(short))
    return sentence if len(sentence) <= _LONGEST_SENTENCE else f"{sentence[:_LONGEST_SENTENCE]}…"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
