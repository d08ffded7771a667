"""The pages of the log-in through the hub, as Jupyter Server's handlers."""

from __future__ import annotations

from typing import cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler

from carrel_client.auth.login import safe_next
from carrel_client.singleuser.server import HubServer
from carrel_client.tornado import as_request, send_answer


class _HubHandler(JupyterHandler):
    @property
    def server(self) -> HubServer:
        return cast(HubServer, self.serverapp)


class LoginHandler(_HubHandler):
    """`login`: to the hub, or straight on for a visitor who is logged in."""

    @allow_unauthenticated
    def get(self) -> None:
        next_url = self.get_query_argument("next", "")
        if self.current_user:
            self.redirect(safe_next(next_url, self.server.environment.prefix))
        else:
            send_answer(self, self.server.logins.begin(as_request(self), next_url))


class LogoutHandler(_HubHandler):
    """`logout`: out of this server, then out of the hub."""

    @allow_unauthenticated
    def get(self) -> None:
        send_answer(self, self.server.logins.leave(as_request(self)))


class CallbackHandler(_HubHandler):
    """`oauth_callback`: the hub sends the browser back here with a code."""

    @allow_unauthenticated
    async def get(self) -> None:
        send_answer(self, await self.server.logins.finish(as_request(self)))
