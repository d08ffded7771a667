"""Calling plug-ins that may answer at once, later, or never."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any


async def resolve(value: Any) -> Any:
    """Return `value`, awaiting it first when it is a coroutine, a future or anything else awaitable.

    Plain functions, `async def` and old generator coroutines can then be called alike.
    """
    if inspect.isawaitable(value):
        return await value
    return value


async def resolve_within(value: Any, seconds: float) -> Any:
    """Return `resolve(value)`; raise TimeoutError when that takes longer than `seconds`."""
    async with asyncio.timeout(seconds):
        return await resolve(value)
