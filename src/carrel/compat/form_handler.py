"""The `handler` that an authenticator gets with the hub's own log-in form: made when it is looked at.

Most authenticators never do, and then nothing of Tornado is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from carrel.compat.handlers.form import FormHandler
    from carrel.compat.tornado_bridge import Tornado


class LazyHandler:
    """Becomes a handler with the first attribute that is asked for or set, in whatever thread that is."""

    def __init__(self, tornado: Callable[[], Tornado], request: Request, body: bytes) -> None:
        vars(self).update(_made=None, _tornado=tornado, _request=request, _body=body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real(), name, value)

    def give_back(self, response: Response) -> None:
        """Put the cookies and headers that the plug-in has set into the hub's answer."""
        if (made := vars(self)["_made"]) is not None:
            response.raw_headers.extend(made.own_headers())

    def _real(self) -> FormHandler:
        own = vars(self)
        if own["_made"] is None:
            from carrel.compat.handlers.form import form_handler

            own["_made"] = form_handler(own["_tornado"](), own["_request"], own["_body"])
        made: FormHandler = own["_made"]
        return made
