"""Running the commands of a batch system."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from carrel.lib.conversation import SaidTooMuch, converse, hang_up
from carrel.spawners.batch.jobs import Unclear

#: What only a shell understands; commands without any of it need none.
_SHELL = frozenset("|&;<>()$`\n*?~#")
#: Who runs them may be a user, and what a hub reads is in its memory.
_MOST_OUTPUT = 50_000_000
#: How long the output of a command that was killed is waited for, in seconds.
_GRACE = 2.0

Expand = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command."""

    status: int
    out: str
    error: str

    @property
    def words(self) -> str:
        """Everything that it said."""
        return "\n".join(text for text in (self.error, self.out) if text)


def words_of(template: str, expand: Expand) -> list[str]:
    """Return the words of a setting's command, each expanded; by a shell only where it cannot do without.

    Then values stand in shell text, and must have been checked for that.
    """
    if _SHELL & set(template):
        return ["/bin/sh", "-c", expand(template)]
    return [expand(word) for word in shlex.split(template)]


async def run(words: Sequence[str], env: Mapping[str, str], *, limit: float, text: str = "") -> Ran:
    """Return what a command came to, with `text` as its input; raise Unclear when it did not end or begin."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            env=dict(env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Unclear(f"{words[0]} cannot be run: {error.strerror or error}") from error
    work = asyncio.ensure_future(converse(process, text.encode(), _MOST_OUTPUT))
    try:
        await asyncio.wait((work,), timeout=limit)
        if not work.done():
            raise Unclear(f"{words[0]} did not answer within {limit:g} seconds")
        out, error_text = work.result()
    except SaidTooMuch:
        raise Unclear(f"{words[0]} said more than {_MOST_OUTPUT // 10**6} MB") from None
    finally:
        if not work.done() or process.returncode is None:
            # What runs by sudo is not ours to end.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            # Its end is heard of when its pipes are closed, too.
            hang_up(process)
            ended = asyncio.ensure_future(process.wait())
            await asyncio.wait((work, ended), timeout=_GRACE)
            work.cancel()
            ended.cancel()
    return Ran(
        process.returncode or 0,
        out.decode(errors="replace").strip(),
        error_text.decode(errors="replace").strip(),
    )
