"""A handler that answers nothing: the request of the hub's own log-in form, for authenticators to look at."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from tornado import httputil

from carrel.compat.facades import person_of
from carrel.compat.handlers.base import BaseHandler
from carrel.compat.tornado_bridge import Reply, Tornado, request_head


class FormHandler(BaseHandler):
    """Keeps the cookies and headers that are set on it for the hub's answer."""

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: Any = None,
        path: str = "/",
        expires_days: float | None = None,
        **options: Any,
    ) -> None:
        """Keep a cookie; the arguments are Tornado's."""
        text = value.decode() if isinstance(value, bytes) else value
        if expires_days is not None and expires is None:
            expires = self._ctx.clock.now() + expires_days * 86400
        until = None if expires is None else httputil.format_timestamp(expires)
        chosen = {key: options.get(key, False) for key in ("secure", "httponly")}
        self._reply.own.set_cookie(
            name,
            text,
            options.get("max_age"),
            until,
            path,
            domain,
            samesite=options.get("samesite"),
            **chosen,
        )

    def set_header(self, name: str, value: Any) -> None:
        """Keep a header."""
        if name.lower() not in {"content-type", "server", "date"}:
            self._reply.own.headers[name] = str(value)

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """Return what was set, but for what an empty answer would have anyway."""
        return [pair for pair in self._reply.own.raw_headers if pair[0] != b"content-length"]


def form_handler(tornado: Tornado, request: Request, body: bytes) -> FormHandler:
    """Return the handler for a request whose body has been read."""
    line, headers = request_head(request.scope)
    reply = Reply(request.scope)
    sent = httputil.HTTPServerRequest(start_line=line, headers=headers, body=body, connection=reply)
    kind = headers.get("Content-Type", "")
    httputil.parse_body_arguments(kind, body, sent.body_arguments, sent.files)
    for name, values in sent.body_arguments.items():
        sent.arguments.setdefault(name, []).extend(values)
    handler = FormHandler(tornado, sent)
    handler.current_user = person_of(handler._ctx, handler._facts.caller)
    return handler
