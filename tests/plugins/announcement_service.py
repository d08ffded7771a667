"""A service that keeps an announcement, as JupyterHub's example does: anybody reads it, and who may visit the
service sets it, by a program with a token or by a form."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import Application, RequestHandler, authenticated

_FORM = '<form method="post">{xsrf}<input name="announcement"><button>Announce</button></form>{user}'


class Said(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """What was said, and by whom."""

    def initialize(self, said: dict[str, str]) -> None:
        """Take the place where it is kept."""
        self.said = said

    def say(self, text: str) -> None:
        """Replace it, and answer with it."""
        user: dict[str, Any] = self.get_current_user()
        now = datetime.now(UTC).isoformat()
        self.said.update(announcement=text, user=user["name"] if text else "", timestamp=now)
        self.write(self.said)


class Board(Said):
    """The announcement itself."""

    def get(self) -> None:
        """Say it to anybody."""
        self.write(self.said)

    @authenticated
    def post(self) -> None:
        """Replace it."""
        self.say(json.loads(self.request.body)["announcement"])

    @authenticated
    def delete(self) -> None:
        """Take it back."""
        self.say("")


class Form(Said):
    """The page on which it is written."""

    @authenticated
    def get(self) -> None:
        """Show the form."""
        user: dict[str, Any] = self.get_current_user()
        self.write(_FORM.format(xsrf=self.xsrf_form_html(), user=user["name"]))

    @authenticated
    def post(self) -> None:
        """Replace it."""
        self.say(self.get_body_argument("announcement"))


async def main() -> None:
    """Listen where the hub says."""
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    said = {"said": {"announcement": "", "user": "", "timestamp": ""}}
    pages: list[Any] = [
        (prefix, Board, said),
        (f"{prefix}form", Form, said),
        (f"{prefix}oauth_callback", HubOAuthCallbackHandler),
    ]
    app = Application(pages, cookie_secret=os.urandom(32))
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app.listen(url.port or 80, url.hostname or "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
