"""The reference page of the codes, written from the rules: run the module to print it."""

from __future__ import annotations

import re
import sys

from carrel.domain.causes import RULES
from carrel.domain.causes.rule import Rule

_HEAD = """\
# Failures
When a start fails or a server ends by itself, its owner's page, the server's model in the REST API
(`failure`) and the last event of the progress stream say why: a stable `code`, a sentence (`message`),
the next step (`hint`) and, for those who may open the server and for administrators, the last lines that
the server wrote (`log`; at most 50 lines and 8 KiB, without secrets).

The hub looks through its rules in this order, and the first that fits what was seen is the answer. It
sees the exception that the spawner or a hook raised, the exit status, the time limit that passed, the
server's last lines, and, of a server that does not answer, how it answers and who listens on its port.
An exception with an attribute `jupyterhub_message` is told in those words.

This page is generated: `python -m carrel.domain.causes.document > docs/reference/failures.md`.

| code | what it says | the next step |
| --- | --- | --- |
"""


def failures_page() -> str:
    """Return the reference page, in Markdown."""
    lines = dict.fromkeys(_line(rule) for rule in RULES)
    return _HEAD + "\n".join(lines) + "\n"


def _line(rule: Rule) -> str:
    message = "(what the spawner says)" if rule.message == "{text}" else _words(rule.message)
    hint = "(what the spawner says)" if rule.hint == "{driver_hint}" else _words(rule.hint)
    return f"| `{rule.code}` | {message} | {hint} |"


def _words(template: str) -> str:
    return (
        re.sub(r"\{(?:memory|processes|said|image)\}", "", template)
        .replace("{", "*")
        .replace("}", "*")
        .replace("|", "\\|")
    )


if __name__ == "__main__":
    sys.stdout.write(failures_page())
