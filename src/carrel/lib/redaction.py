"""Texts made fit for a log: secrets out, control characters escaped, length bounded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

STARS = "***"
LONGEST = 2048
"""Characters of one value that a log shows."""

_MOST = 512 * 1024
"""Characters that are looked at."""

_WORDS = "token|code|state|_xsrf|password|passwd|secret|code_verifier|otp"
_NAMES = rf"(?:{_WORDS}|[a-z_]*_(?:token|secret|password))"
_EQUALS = r"(?:=|%(?:25)*3[Dd])"
_SECRET_KEY = re.compile(
    r"(.*[_-])?(token|secret|password|passwd|cookies?|authorization|credentials?|otp|xsrf|verifier|private[_-]key)"
    r"|set-cookie|code",
    re.IGNORECASE,
)
_OPENS = r"(?:[?&;]|%(?:25)*3[Ff]|%(?:25)*26)"
_IN_QUERY = re.compile(rf"({_OPENS}{_NAMES}{_EQUALS})((?:(?!%(?:25)*26)[^&\s\"'<>#;])+)", re.IGNORECASE)
_ALONE = re.compile(
    r"((?:^|[\s\"'(,])(?:[a-z]+_)*(?:token|password|secret|_xsrf)=)([^&\s\"',;)]+)", re.IGNORECASE
)
_AUTHORIZATION = re.compile(r"\b((?:bearer|basic|token)\s+)([A-Za-z0-9._~+/=-]{12,})", re.IGNORECASE)
_ENVIRONMENT = re.compile(
    r"""(\b[A-Z][A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|(?:API|ACCESS|PRIVATE)_KEY)\b['"]?\s*[:=]\s*['"]?)"""
    r"""([^\s'",;})]+)"""
)
_HEADER = re.compile(
    r"""(\b(?:proxy-)?(?:authorization|cookie|set-cookie)['"]?\s*:\s*)(\S[^\n]*)""", re.IGNORECASE
)
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_USER_INFO = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^/\s:@]*:)([^/\s@]+)(@)", re.IGNORECASE)


def clean_lines(text: str, lines: int, longest: int, secrets: Sequence[str] = ()) -> str:
    """Return the last `lines` lines of what a program wrote, at most `longest` characters, fit to be shown.

    Colours and other terminal codes go, controls are escaped, `secrets` go wherever they stand. A line that
    does not fit is left out, for half a secret is not known as one; a single one keeps its beginning.
    """
    for secret in filter(None, secrets):
        text = text.replace(secret, STARS)
    kept: list[str] = []
    room = longest
    if len(text) > _MOST:
        text = text[-_MOST:].partition("\n")[2]
    for line in reversed(_TERMINAL.sub("", text).splitlines()[-lines:]):
        shown = escape_controls(_redact_line(line.expandtabs().rstrip())[:longest])
        room -= len(shown) + 1
        if room < -1:
            break
        kept.append(shown)
    return "\n".join(reversed(kept)).strip("\n")


def _redact_line(line: str) -> str:
    line = _ENVIRONMENT.sub(rf"\1{STARS}", line)
    return redact_text(_HEADER.sub(rf"\1{STARS}", line))


def is_secret_name(name: str) -> bool:
    """Tell whether the value under this name is one to hide."""
    return _SECRET_KEY.fullmatch(name) is not None


def redact_text(text: str) -> str:
    """Return `text` without the secrets that stand in URLs, `Authorization` values and `password=…`."""
    text = _IN_QUERY.sub(rf"\1{STARS}", text)
    text = _ALONE.sub(rf"\1{STARS}", text)
    text = _AUTHORIZATION.sub(rf"\1{STARS}", text)
    return _USER_INFO.sub(rf"\1{STARS}\3", text)


def redact(name: str, value: Any) -> Any:
    """Return a value as a log may show it; containers are followed, numbers and truths left alone."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_secret_name(name):
        return STARS
    if isinstance(value, Mapping):
        return {key: redact(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(name, each) for each in value]
    return clean(value if isinstance(value, str) else str(value))


def clean(text: str, longest: int = LONGEST) -> str:
    """Return `text` redacted, on one line and not longer than `longest` (and a note of the rest)."""
    rest = len(text) - longest
    text = redact_text(text[: 2 * longest])
    if rest > 0:
        text = f"{text[:longest]}… ({rest} characters more)"
    return escape_controls(text)


def escape_controls(text: str) -> str:
    """Return `text` with every character that could move a cursor or end a line escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
