"""Headers that every reply carries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from carrel import JUPYTERHUB_VERSION
from carrel.config.tornado import directives
from carrel.http.request import RequestFacts

Header = tuple[bytes, bytes]
_POLICY = "content-security-policy"
_NONE: Mapping[str, str] = MappingProxyType({})


class ReplyHeaders:
    """The headers of replies, prepared once for a base URL; `more` are the deployer's own, which win.

    `targets` are the hosts to which forms of the hub's pages lead on.
    """

    def __init__(self, base_url: str, more: Mapping[str, str] = _NONE, targets: str = "") -> None:
        self._targets = targets
        self._policy = more.get(_POLICY, "")
        own = [(name.encode(), value.encode()) for name, value in more.items() if name != _POLICY]
        replaced = {name for name, _ in own}
        report = f"{base_url}hub/security/csp-report"
        api_policy = f"frame-ancestors 'none'; report-uri {report}; default-src 'none'"
        self._root = f"{base_url}hub/api"
        common = (
            (b"x-jupyterhub-version", JUPYTERHUB_VERSION.encode()),
            (b"x-content-type-options", b"nosniff"),
            # Not no-referrer: browsers would then send `Origin: null` with our own forms.
            (b"referrer-policy", b"same-origin"),
        )
        allowed = (b"access-control-allow-headers", b"accept, content-type, authorization")
        policy = (b"content-security-policy", merged_policy(api_policy, self._policy).encode())
        self._common = (*(pair for pair in common if pair[0] not in replaced), *own)
        self._api = (*self._common, policy, *(pair for pair in (allowed,) if pair[0] not in replaced))
        self._page = tuple(pair for pair in ((b"cache-control", b"no-store"),) if pair[0] not in replaced)
        self._allows_origins = b"access-control-allow-origin" in replaced

    def api(self, facts: RequestFacts) -> list[Header]:
        """Return what a reply of the REST API carries."""
        headers = [*self._api, (b"x-request-id", facts.id.encode())]
        if facts.path.rstrip("/") == self._root and not self._allows_origins:
            # The version is nobody's secret: any site's script may ask for it.
            headers.append((b"access-control-allow-origin", b"*"))
        return headers

    def page(self, facts: RequestFacts, content_type: bytes) -> list[Header]:
        """Return what any other reply carries; HTML gets a policy and is never stored."""
        headers = [*self._common, (b"x-request-id", facts.id.encode())]
        if content_type.startswith(b"text/html"):
            headers += [
                (b"content-security-policy", self._page_policy(facts).encode()),
                *self._page,
            ]
        return headers

    def _page_policy(self, facts: RequestFacts) -> str:
        return merged_policy(page_policy(facts, self._targets), self._policy)


def page_policy(facts: RequestFacts, targets: str = "") -> str:
    """Return the Content-Security-Policy of a page: our own files, and scripts with this page's nonce.

    Where the deployer's HTML is part of it, styles, pictures, fonts, frames and connections may be from
    elsewhere; scripts still need the nonce.
    """
    target = "".join(f" {each}" for each in (targets, facts.form_target) if each)
    nonce = f" 'nonce-{facts.nonce}'" if facts.nonce else ""
    ours = "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    if facts.deployers is None:
        return (
            f"default-src 'self'; script-src 'self'{nonce}; style-src 'self'; img-src 'self' data:; "
            f"{ours}{target}"
        )
    loaded = " 'strict-dynamic'" if nonce and facts.deployers.templates else ""
    hashes = " ".join(sorted(facts.deployers.handlers))
    handlers = f"script-src-attr 'unsafe-hashes' {hashes}; " if hashes else ""
    return (
        f"default-src 'self' https: data:; script-src 'self'{nonce}{loaded}; {handlers}"
        f"style-src 'self' 'unsafe-inline' https:; img-src 'self' https: http: data:; {ours} https:{target}"
    )


def merged_policy(ours: str, theirs: str) -> str:
    """Return a policy with the deployer's directives in the place of ours of the same names.

    One that says `default-src` says all of what may be loaded: of ours stays what is about something else.
    """
    if not theirs:
        return ours
    wanted = directives(theirs)
    kept = {
        name: value
        for name, value in directives(ours).items()
        if not ("default-src" in wanted and name.endswith("-src"))
    }
    return "; ".join(f"{name} {value}".strip() for name, value in (kept | wanted).items())
