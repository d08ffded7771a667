"""A log-in attempt ends as an Identity or a Refusal, whatever a plug-in does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from carrel.authenticators.base import Authenticator
from carrel.authenticators.login import check_login
from carrel.authenticators.policy import Refusal
from carrel.domain.errors import Forbidden
from carrel.domain.identity import Identity

_FORM = {"username": "ada", "password": "s3cret-password", "_xsrf": "x"}


class Scripted(Authenticator):
    """Does in authenticate what the test says."""

    error: Exception | None = None
    answer: Any = None

    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


class HTTPError(Exception):
    """Looks as Tornado's does."""

    def __init__(self, status_code: int, log_message: str | None, *args: Any, reason: str = "") -> None:
        super().__init__()
        self.status_code, self.log_message, self.args, self.reason = status_code, log_message, args, reason


async def refusal(error: Exception | None = None, answer: Any = None) -> Refusal:
    authenticator = Scripted(allow_all=True)
    authenticator.error, authenticator.answer = error, answer
    outcome = await check_login(authenticator, None, _FORM)
    assert isinstance(outcome, Refusal)
    return outcome


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (HTTPError(403, "ada is not in the class"), "ada is not in the class"),
        (HTTPError(403, "%s is not in %s", "ada", "the class"), "ada is not in the class"),
        (HTTPError(403, "100 % wrong", "ada"), "100 % wrong"),
        (HTTPError(401, None, reason="Come back tomorrow"), "Come back tomorrow"),
        (HTTPError(403, None), "Invalid username or password"),
    ],
)
async def test_an_http_error_of_a_plug_in_is_shown_in_its_words(error: HTTPError, says: str) -> None:
    outcome = await refusal(error)
    assert outcome.reason_for_page == says
    assert outcome.status == error.status_code


async def test_any_other_exception_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    outcome = await refusal(RuntimeError("cannot reach ldap://dc1\nTraceback"))
    assert "ldap" not in outcome.reason_for_page
    assert outcome.status == 500
    assert outcome.reason_for_log == "Scripted failed with RuntimeError: cannot reach ldap://dc1\\nTraceback"
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("make", [RuntimeError, Forbidden, lambda text: HTTPError(403, text)])
async def test_an_exception_with_the_password_in_it_does_not_spread_it(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await refusal(make(f"bind failed for {_FORM!r}"))
    assert _FORM["password"] not in repr(outcome) + caplog.text
    assert "[hidden]" in outcome.reason_for_log
    assert "ada" in outcome.reason_for_log


async def test_a_short_password_is_hidden_without_spoiling_other_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    authenticator = Scripted()
    authenticator.error = RuntimeError("no bind with e on the server")
    outcome = await check_login(authenticator, None, {"username": "ada", "password": "e"})
    assert isinstance(outcome, Refusal)
    assert outcome.reason_for_log.endswith("no bind with [hidden] on the server")
    assert "with e " not in caplog.text


@pytest.mark.parametrize("answer", [5, ["ada"], {"admin": True}, {"name": None}, {"name": 7}])
async def test_a_nonsensical_answer_is_the_plug_ins_fault(answer: Any) -> None:
    outcome = await refusal(answer=answer)
    assert outcome.status == 500
    assert "authenticate() returned" in outcome.reason_for_log


@pytest.mark.parametrize("answer", [None, "", {}, False])
async def test_an_empty_answer_is_wrong_credentials(answer: Any) -> None:
    outcome = await refusal(answer=answer)
    assert outcome.reason_for_page == "Invalid username or password"
    assert outcome.status == 403


async def test_an_authenticator_that_hangs_is_given_up() -> None:
    class Hanging(Authenticator):
        ended = False

        async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended = True

    authenticator = Hanging()
    outcome = await check_login(authenticator, None, _FORM, seconds=0.01)
    assert isinstance(outcome, Refusal)
    assert outcome.status == 503
    assert authenticator.ended


async def test_a_plug_in_that_overrides_the_whole_check_is_believed() -> None:
    class Own(Authenticator):
        async def get_authenticated_user(self, handler: Any, data: Mapping[str, Any]) -> Any:
            return {"name": "ada", "admin": True} if data["password"] == "right" else None

    assert await check_login(Own(), None, {"password": "right"}) == Identity("ada", admin=True)
    assert isinstance(await check_login(Own(), None, {"password": "wrong"}), Refusal)


async def test_a_name_that_a_plug_in_makes_up_must_still_be_a_name() -> None:
    class Own(Authenticator):
        async def get_authenticated_user(self, handler: Any, data: Mapping[str, Any]) -> Any:
            return {"name": "../root"}

    assert isinstance(await check_login(Own(), None, {}), Refusal)
