"""`BaseHandler` and `APIHandler`: what handlers of plug-ins derive from."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from tornado.web import HTTPError

from carrel.compat.handlers.pages import PagesMixin
from carrel.compat.handlers.people import PeopleMixin
from carrel.http.request import facts_of


class BaseHandler(PagesMixin):
    """A page of a plug-in, for people who are known by their log-in cookie.

    It is signed in, looks and fails like the hub's own pages.
    """

    def get_content_type(self) -> str:
        """Return the type of answers that do not say theirs."""
        return "text/html; charset=UTF-8"

    def set_default_headers(self) -> None:
        """Say the type; what every answer carries is added when it goes out."""
        self.set_header("Content-Type", self.get_content_type())


class APIHandler(BaseHandler):
    """A place for programs, which are known by their token; a browser's cookie counts with the XSRF token."""

    def __init__(self, application: Any, request: Any, **kwargs: Any) -> None:
        # Before anybody looks who asks, and where no plug-in overrides it: its XSRF check rests on this.
        facts_of(request.connection.scope).for_programs = True
        super().__init__(application, request, **kwargs)

    async def prepare(self) -> None:
        """Look up who asks."""
        await PeopleMixin.prepare(self)

    def check_xsrf_cookie(self) -> None:
        """Return at once: a cookie that comes without the token is nobody's already."""

    def get_content_type(self) -> str:
        """Return the type of answers that do not say theirs."""
        return "application/json"

    def get_login_url(self) -> NoReturn:
        """Refuse: programs follow no redirect to the log-in. Raises HTTPError (403)."""
        raise HTTPError(403, "Missing or invalid credentials.")

    def get_json_body(self) -> Any:
        """Return the decoded body, None for an empty one; raises HTTPError (400) for what is no JSON."""
        body = self.request.body.strip()
        try:
            return json.loads(body) if body else None
        except (ValueError, RecursionError):
            raise HTTPError(400, "Invalid JSON in body of request") from None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as JSON, as the REST API does."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        for name, value in dict(getattr(error, "headers", None) or {}).items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"status": status_code, "message": self._told(error)}))
