"""The one place that makes outgoing HTTP clients."""

from __future__ import annotations

import aiohttp


def new_client(*, total: float = 10.0, connections: int = 100) -> aiohttp.ClientSession:
    """Return a client with no cookies that trusts no proxy from the environment; the caller closes it.

    `total` is the time in seconds after which a request fails.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=total),
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    )
