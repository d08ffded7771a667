"""The client that everybody has, for what no library of the tests speaks."""

from __future__ import annotations

import asyncio
import shutil

from tests.rigs.needs import need


async def curl(*arguments: str) -> tuple[int, str]:
    """Run curl, silent and for ten seconds at most a transfer; return its exit code and what it wrote."""
    program = shutil.which("curl")
    need(program, "curl")
    process = await asyncio.create_subprocess_exec(
        str(program), "-q", "-s", "--max-time", "10", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
