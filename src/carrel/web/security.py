"""What browsers report about pages that were kept from doing something."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.domain.errors import Unauthenticated
from carrel.http.endpoint import post
from carrel.lib.redaction import clean

_log = logging.getLogger("carrel.web")


@post("/hub/security/csp-report")
async def report_violation(visitor: Caller | None, request: Request) -> Response:
    """Log what a signed-in visitor's browser reports, cut and cleaned; strangers could fill the log.

    Browsers send no XSRF token with it, and a line in the log is all that comes of it.
    """
    if visitor is None:
        raise Unauthenticated
    text = (await request.body()).decode("utf-8", "replace")
    _log.warning("Content security violation, reported by %s: %s", visitor.user.name, clean(text))
    return Response(media_type="text/html")
