"""A service that says who visits it, by JupyterHub's own `jupyterhub.services.auth`."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import Application, RequestHandler, authenticated


class WhoAmI(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """Answers with the hub's model of the visitor."""

    @authenticated
    def get(self) -> None:
        """Say who it is."""
        model: Any = self.get_current_user()
        self.write(model)


async def main() -> None:
    """Listen where the hub says."""
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    pages: list[Any] = [(prefix, WhoAmI), (f"{prefix}oauth_callback", HubOAuthCallbackHandler)]
    app = Application(pages, cookie_secret=os.urandom(32))
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app.listen(url.port or 80, url.hostname or "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
