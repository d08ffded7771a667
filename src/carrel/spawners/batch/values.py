"""What may stand in a job's requirements. They go into a script and into commands: nothing else may."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 256
_NAME = re.compile(r"[A-Za-z0-9_][\w.,:@%/+=-]*", re.ASCII)
_MEMORY = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,3})?(?:[KMGTkmgt](?:i?[Bb])?|[Bb])?", re.ASCII)
_TIME = re.compile(r"[0-9]{1,6}(?:[-:][0-9]{1,2}){0,3}[smhdSMHD]?|UNLIMITED|INFINITE", re.ASCII)
_KINDS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "name": (_NAME, "a name of letters, digits and . , : @ % / + = - _"),
    "count": (re.compile(r"[0-9]{1,6}", re.ASCII), "a number"),
    "memory": (_MEMORY, "a size such as 4G or 500M"),
    "time": (_TIME, "a time such as 30, 8:00:00 or 1-12:00:00"),
}
#: What people may choose at all, and of which kind each is; all else is the administrator's.
CHOOSABLE: Mapping[str, str] = {
    "queue": "name",
    "partition": "name",
    "account": "name",
    "qos": "name",
    "reservation": "name",
    "cluster": "name",
    "gres": "name",
    "constraint": "name",
    "nprocs": "count",
    "ngpus": "name",
    "memory": "memory",
    "runtime": "time",
}
LABELS: Mapping[str, str] = {
    "queue": "Queue",
    "partition": "Partition",
    "account": "Account",
    "qos": "Quality of service",
    "reservation": "Reservation",
    "cluster": "Cluster",
    "gres": "Generic resources",
    "constraint": "Features of the machine",
    "nprocs": "Processors",
    "ngpus": "Graphics cards",
    "memory": "Memory",
    "runtime": "Time",
}
#: No setting that stands in a line of its own may hold any of these.
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_SHELL = re.compile(r"""[;&|`$<>(){}\[\]\\'"*?~!#\s]""")
#: Settings of the administrator's that are text for a shell or for the batch system.
FREE = frozenset({"options", "prologue", "epilogue", "srun", "keepvars", "keepvars_extra"})
_MANY_LINES = frozenset({"prologue", "epilogue"})


def check_choice(name: str, value: Any) -> str:
    """Return the value that somebody chose for a requirement, as text; raise ValueError that names it.

    An empty one is none.
    """
    if name not in CHOOSABLE:
        raise ValueError(f"{name} cannot be chosen")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} must be text or a number")
    text = str(value)
    pattern, right = _KINDS[CHOOSABLE[name]]
    if text and (len(text) > _LONGEST or not pattern.fullmatch(text)):
        raise ValueError(f"{name} must be {right}")
    return text


def check_offered(name: str, value: str, offered: Sequence[str]) -> str:
    """Return `value` when it is among those that are offered; raise ValueError that says which are."""
    if value not in offered:
        raise ValueError(f"{name} must be one of {', '.join(offered)}")
    return value


def check_setting(name: str, text: str) -> None:
    """Return when the value of `req_NAME` may go into a script; raise ValueError that says what is wrong."""
    if name in _MANY_LINES:
        return
    if _BREAKS.search(text):
        raise ValueError(f"req_{name} has more than one line, or control characters")
    if name not in FREE and (_SHELL.search(text) or text.startswith("-")):
        raise ValueError(
            f"req_{name} has characters that mean something to a shell, or blanks, or is an option"
        )
