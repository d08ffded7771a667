"""Headers that every reply carries."""

from __future__ import annotations

from carrel import JUPYTERHUB_VERSION
from carrel.http.request import RequestFacts

Header = tuple[bytes, bytes]


class ReplyHeaders:
    """The headers of replies, prepared once for a base URL."""

    def __init__(self, base_url: str) -> None:
        report = f"{base_url}hub/security/csp-report"
        api_policy = f"frame-ancestors 'none'; report-uri {report}; default-src 'none'"
        self._root = f"{base_url}hub/api"
        self._common: tuple[Header, ...] = (
            (b"x-jupyterhub-version", JUPYTERHUB_VERSION.encode()),
            (b"x-content-type-options", b"nosniff"),
            # Not no-referrer: browsers would then send `Origin: null` with our own forms.
            (b"referrer-policy", b"same-origin"),
        )
        self._api: tuple[Header, ...] = (
            *self._common,
            (b"content-security-policy", api_policy.encode()),
            (b"access-control-allow-headers", b"accept, content-type, authorization"),
        )

    def api(self, facts: RequestFacts) -> list[Header]:
        """Return what a reply of the REST API carries."""
        headers = [*self._api, (b"x-request-id", facts.id.encode())]
        if facts.path.rstrip("/") == self._root:
            # The version is nobody's secret: any site's script may ask for it.
            headers.append((b"access-control-allow-origin", b"*"))
        return headers

    def page(self, facts: RequestFacts, content_type: bytes) -> list[Header]:
        """Return what any other reply carries; HTML gets a policy and is never stored."""
        headers = [*self._common, (b"x-request-id", facts.id.encode())]
        if content_type.startswith(b"text/html"):
            headers += [
                (b"content-security-policy", page_policy(facts).encode()),
                (b"cache-control", b"no-store"),
            ]
        return headers


def page_policy(facts: RequestFacts) -> str:
    """Return the Content-Security-Policy of a page: our own files, and scripts with this page's nonce."""
    target = f" {facts.form_target}" if facts.form_target else ""
    nonce = f" 'nonce-{facts.nonce}'" if facts.nonce else ""
    return (
        f"default-src 'self'; script-src 'self'{nonce}; style-src 'self'; img-src 'self' data:; "
        f"object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'{target}"
    )
