"""The log: one line per event, no secret, no forged line."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest
from traitlets.config import LoggingConfigurable

from carrel.lib.logging import configure
from carrel.lib.redaction import LONGEST, clean, redact

CANARY = "c4n4ry0123456789abcdef"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    stream = io.StringIO()
    configure("INFO", stream)
    yield stream
    root.handlers[:], root.level = before


def test_an_event_is_one_line_with_its_values(stream: io.StringIO) -> None:
    values = {"url": "http://127.0.0.1:8000/", "users": 3, "who": "a b"}
    logging.getLogger("carrel.app").info("hub is ready", extra=values)
    pattern = r"\[I \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} carrel\.app\] hub is ready (.*)\n"
    found = re.fullmatch(pattern, stream.getvalue())
    assert found is not None
    assert found[1] == "url=http://127.0.0.1:8000/ users=3 who='a b'"


def test_other_libraries_use_the_same_form(stream: io.StringIO) -> None:
    class Plugin(LoggingConfigurable):
        pass

    Plugin(log=logging.getLogger("plugin")).log.warning("%s of %s", 1, 2)
    logging.getLogger("docker").info("hello")
    logging.getLogger("uvicorn.error").info("what the library does inside is of no use to an admin")
    lines = [re.sub(r" [-\d]+ [:.\d]+ ", " ", line) for line in stream.getvalue().splitlines()]
    assert lines == ["[W plugin] 1 of 2", "[I docker] hello"]


def test_levels_hold(stream: io.StringIO) -> None:
    logging.getLogger("b").debug("no")
    assert stream.getvalue() == ""
    configure(logging.DEBUG, stream)
    logging.getLogger("b").debug("yes")
    assert stream.getvalue().count("yes") == 1


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\u2028b", "a\x85b", "a\x00b", "a\u202eb"])
def test_no_value_can_end_its_line(stream: io.StringIO, text: str) -> None:
    logging.getLogger("a").info(text, extra={"value": text, text: 1})
    logging.getLogger("b").info("%s", text)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() and line.startswith("[I ") for line in lines)


def test_a_traceback_is_indented_and_clean(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"bad\n[E 2026-01-01 forged] /x?token={CANARY}")
    except ValueError:
        logging.getLogger("a").exception("failed", extra={"password": CANARY})
        logging.getLogger("b").exception("failed")
    lines = stream.getvalue().splitlines()
    assert sum(line.startswith("[E ") for line in lines) == 2
    assert all(line.startswith(("[E ", "    ")) for line in lines)
    assert "ValueError: bad" in stream.getvalue()
    assert not any(CANARY in line for line in lines if "raise ValueError" not in line)


@pytest.mark.parametrize(
    "text",
    [
        f"GET /hub/login?next=%2F&token={CANARY}",
        f"GET /hub/oauth_callback?code={CANARY}&state={CANARY}",
        f"GET /x?_xsrf={CANARY}#top",
        f"GET /x?next=%2Fhub%2Fx%3Ftoken%3D{CANARY}%26a%3D1",
        f"GET /x?next=%252Fhub%252Fx%253Faccess_token%253D{CANARY}",
        f"Authorization: token {CANARY}",
        f"authorization=Bearer {CANARY}",
        f"postgresql://ada:{CANARY}@db/hub",
        f"failed with password={CANARY}, try again",
        f"token={CANARY}",
        f"api_token={CANARY}&x=1",
        f"?client_secret={CANARY}",
    ],
)
def test_secrets_in_text_are_hidden(text: str) -> None:
    assert CANARY not in clean(text)
    assert "***" in clean(text)


@pytest.mark.parametrize(
    "text", ["GET /hub/home 200", "state=running code=200", "/x?next=%2Fhub", "the token is gone"]
)
def test_other_text_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "name",
    ["token", "api_token", "Authorization", "cookie", "Cookies", "Set-Cookie", "password", "client_secret",
     "cookie_secret", "code", "code_verifier", "_xsrf", "otp", "private_key", "JUPYTERHUB_API_TOKEN"],
)  # fmt: skip
def test_values_under_secret_names_are_hidden(name: str) -> None:
    assert CANARY not in str(redact(name, CANARY))
    assert CANARY not in str(redact("env", {name: CANARY}))
    assert CANARY not in str(redact("all", [{name: [CANARY]}]))


@pytest.mark.parametrize(
    ("name", "value"), [("state", "running"), ("status_code", "200"), ("token_id", "5"), ("code", 3)]
)
def test_values_under_other_names_stay(name: str, value: object) -> None:
    assert redact(name, value) == value


def test_long_values_are_cut() -> None:
    shown = clean("x" * 100_000)
    assert len(shown) < LONGEST + 50
    assert shown.endswith("(97952 characters more)")
    assert CANARY[:10] not in clean("x" * (LONGEST - 20) + f"?token={CANARY}" + "y" * 9000)
