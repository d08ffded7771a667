"""What browsers report about pages that were kept from doing something."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Unauthenticated
from carrel.domain.events import PolicyBroken
from carrel.http.endpoint import post
from carrel.lib.redaction import clean

_log = logging.getLogger("carrel.web")


@post("/hub/security/csp-report")
async def report_violation(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Count and log what a signed-in visitor's browser reports, cut and cleaned; strangers may fill no log.

    Browsers send no XSRF token with it, and a line in the log is all that comes of it.
    """
    if visitor is None:
        raise Unauthenticated
    hub.bus.publish(PolicyBroken())
    text = (await request.body()).decode("utf-8", "replace")
    _log.warning("Content security violation, reported by %s: %s", visitor.user.name, clean(text))
    return Response(media_type="text/html")
