"""Asking `carrel-sudo-helper` to do something with the rights of a user."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carrel.lib.conversation import SaidTooMuch, converse, hang_up
from carrel.spawners.errors import StartError

#: How long the helper may take, in seconds; it ends itself sooner.
_LIMIT = 25.0
#: More than the longest answer, which is a log with each character escaped.
_MOST = 4 * 2**20
#: How long one that was cut off may take to end, in seconds.
_GRACE = 1.0


class NoAnswer(StartError):
    """sudo or the helper broke off: what was asked for may have been done or not."""


class HelperRefused(StartError):
    """The helper, or sudo before it, did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Helper:
    """How the helper is called."""

    path: str
    policy: str
    sudo_args: Sequence[str] = ("-n",)
    env: Mapping[str, str] = field(default_factory=dict)
    """What sudo itself is given, beside a PATH."""

    def command(self, account: str) -> list[str]:
        """Return the command line, which holds nothing secret."""
        return ["sudo", *self.sudo_args, "-u", account, "--", self.path, self.policy]

    async def ask(self, account: str, action: str, **fields: Any) -> Mapping[str, Any]:
        """Return the helper's answer; `account` is the name of an account that exists.

        Raises HelperRefused with its or sudo's own words, NoAnswer when it is not known what was done.
        """
        request = json.dumps({"action": action, **fields}).encode()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command(account),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # In English, for its words are looked for: and nothing of the hub's own goes with it.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **self.env},
                start_new_session=True,
            )
        except OSError as error:
            raise HelperRefused(
                f"sudo cannot be run: {error.strerror}.", hint="Install sudo where the hub runs."
            ) from error
        try:
            async with asyncio.timeout(_LIMIT):
                # The helper has the rights of a user, whose other processes may speak in its place.
                output, errors = await converse(process, request, _MOST)
        except SaidTooMuch:
            raise NoAnswer(f"sudo or {self.path} said more than {_MOST // 2**20} MiB.") from None
        except TimeoutError:
            raise NoAnswer(f"sudo or {self.path} did not answer within {_LIMIT:g} seconds.") from None
        finally:
            if process.returncode is None:
                # To end sudo needs rights that we lack.
                hang_up(process)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), _GRACE)
        return self._read(output, errors.decode(errors="replace").strip())

    def _read(self, output: bytes, said: str) -> Mapping[str, Any]:
        try:
            answer = json.loads(output)
        except ValueError:
            words = said.splitlines()[-1] if said else "nothing was said"
            kind = HelperRefused if said.startswith("sudo: ") else NoAnswer
            raise kind(f"{self.path} gave no answer: {words}", hint=_DOCTOR) from None
        if answer.get("ok") is not True:
            raise HelperRefused(f"carrel-sudo-helper refused: {answer.get('error')}.", hint=self._hint())
        return dict(answer)

    def _hint(self) -> str:
        return f"What it allows stands in {self.policy}; `carrel doctor sudo` says what is missing."


_DOCTOR = "The administrator runs `carrel doctor sudo` as the hub's account, which says what to change."
