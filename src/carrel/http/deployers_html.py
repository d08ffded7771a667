"""HTML of the deployer's on the hub's pages: what it needs of the page's policy to do what it does."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import unescape

from markupsafe import Markup

from carrel.http.request import DeployersHtml, RequestFacts, nonce_of

#: A script without a nonce.
SCRIPT = re.compile(r"<script\b(?![^>]*\bnonce\s*=)", re.IGNORECASE)
_HANDLER = re.compile(r"""\son[a-z]+\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
#: What our own policy would not let a page do.
_LIVELY = re.compile(
    r"<(script|style|link|img|iframe|video|audio|svg)\b|\s(style|on[a-z]+)\s*=|@import", re.IGNORECASE
)


def deployers_markup(facts: RequestFacts, html: str) -> Markup:
    """Return HTML of the deployer's settings for a page, whose policy will let it do what it does."""
    if _LIVELY.search(html):
        known = facts.deployers or DeployersHtml()
        facts.deployers = replace(known, handlers=known.handlers | inline_handlers(html))
        if SCRIPT.search(html):
            html = SCRIPT.sub(f"<script nonce={nonce_of(facts)}", html)
    return Markup(html)  # noqa: S704 - the deployer's own words


def inline_handlers(html: str) -> frozenset[str]:
    """Return the policy's hashes of attributes such as `onclick` that always hold the same script."""
    found = (double or single for double, single in _HANDLER.findall(html))
    return frozenset(_hash(unescape(script)) for script in found if "{{" not in script and "{%" not in script)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
