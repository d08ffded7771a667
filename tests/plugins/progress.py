"""The steps of a start, as the page that waits for a server is told them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

from tests.rigs.hub import HubProcess
from tests.rigs.visitor import authorization


def steps(hub: HubProcess, user: str, token: str) -> Iterator[dict[str, Any]]:
    """Yield the steps of the start of a user's server as they come, to its end."""
    url = f"{hub.public_url}hub/api/users/{user}/server/progress"
    with urlopen(Request(url, headers=authorization(token)), timeout=60) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))
