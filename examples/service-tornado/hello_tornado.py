"""A service on Tornado: a page with a form, an API and a websocket, for whom the hub admits."""

from __future__ import annotations

import asyncio
import os
from html import escape
from urllib.parse import urlsplit

from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from carrel_client.auth import HubAuth
from carrel_client.tornado import HubAuthenticated, hub_pages

auth = HubAuth.from_environment()
prefix = auth.settings.prefix
greeting = {"text": "Hello"}


class Page(HubAuthenticated):
    def get(self) -> None:
        self.write(
            f"<h1>{escape(greeting['text'])}, {escape(self.visitor.display_name)}</h1>"
            f'<form method="post">{self.xsrf_form_html()}'
            f'<input name="greeting"><button>Change</button></form>'
            f'<a href="{auth.logout_path}">Log out</a>'
        )

    def post(self) -> None:
        greeting["text"] = self.get_body_argument("greeting")
        self.redirect(prefix, status=303)


class Me(HubAuthenticated):
    def get(self) -> None:
        self.write({"name": self.visitor.name, "groups": self.visitor.groups})


class Health(RequestHandler):
    def get(self) -> None:
        self.write("well")


class Echo(HubAuthenticated, WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(f"{self.visitor.name}: {message!s}")


async def main() -> None:
    pages = [("", Page), ("api/me", Me), ("health", Health), ("echo", Echo)]
    rules = [(f"{prefix}{path}", handler) for path, handler in pages]
    app = Application([*rules, *hub_pages(auth)], hub_auth=auth, xsrf_cookies=True)
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app.listen(url.port or 80, url.hostname or "127.0.0.1", xheaders=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
