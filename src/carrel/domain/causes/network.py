"""Ports, addresses, certificates, and the way between a server and the hub."""

from __future__ import annotations

from carrel.domain.causes.rule import BEFORE_ANSWER, BY_SERVER, End, Rule

#: How the single-user programs say that they cannot reach the hub.
_NO_HUB = r"Failed to connect to (?:my Hub|Hub API) at|The hub does not answer:|No hub answers at"
_ADDRESS = (
    "The administrator has to set c.JupyterHub.hub_connect_url (or hub_ip and hub_connect_ip) to where"
    " servers"
    " reach the hub."
)
_SILENT = frozenset({End.SILENT})

_HUB = (
    Rule(
        "hub-name",
        "The server cannot find the hub: the name in the hub's address is not known where the server runs.",
        _ADDRESS,
        says=(
            _NO_HUB,
            r"gaierror|Name or service not known|name resolution|nodename nor servname"
            r"|No address associated with hostname|Could not resolve host",
        ),
        ends=BY_SERVER,
    ),
    Rule(
        "clock-skew",
        "The clocks of the server and of the hub differ too much: a certificate or token is not valid yet.",
        "The administrator has to set the clock of both machines, best by NTP.",
        says=r"certificate is not yet valid|token is not yet valid|not valid yet|clock ?skew"
        r"|ImmatureSignatureError"
        r"|issued in the future",
        ends=BY_SERVER,
    ),
    Rule(
        "certificate-expired",
        "The server does not trust the hub's address: its certificate has expired.",
        "The administrator has to renew the certificate.",
        says=r"certificate has expired|CERTIFICATE_EXPIRED|certificate expired",
        ends=BY_SERVER,
    ),
    Rule(
        "certificate-name",
        "The server does not trust the hub's address: its certificate is for another name.",
        "The administrator has to use the name in the certificate in c.JupyterHub.hub_connect_url, or get one"
        " for the name in use.",
        says=r"Hostname mismatch|certificate is not valid for|doesn't match either of"
        r"|hostname '[^']*' doesn't match"
        r"|IP address mismatch",
        ends=BY_SERVER,
    ),
    Rule(
        "certificate-untrusted",
        "The server does not trust the hub's certificate.",
        "The administrator has to install the authority that signed it where the server runs, or name it in"
        " SSL_CERT_FILE.",
        says=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|self[- ]signed certificate|UNKNOWN_CA"
        r"|unable to get local issuer certificate",
        ends=BY_SERVER,
    ),
    Rule(
        "hub-token",
        "The hub does not accept the server's token.",
        "Start the server again: it gets a new token. If it fails again, JUPYTERHUB_API_TOKEN is"
        " overwritten in"
        " the server's environment.",
        says=r"auth token may have expired|I may need a new token|hub refuses a report of activity: .*40[13]"
        r"|Error notifying Hub of activity: HTTP 40[13]|JUPYTERHUB_API_TOKEN is (?:not set|malformed)",
        ends=BY_SERVER,
    ),
    Rule(
        "hub-token",
        "The hub does not accept the server's token.",
        "Start the server again: it gets a new token. If it fails again, JUPYTERHUB_API_TOKEN is"
        " overwritten in"
        " the server's environment.",
        says=(_NO_HUB, r"HTTP(?:Error)?:? 40[13]\b|answered 40[13]"),
        ends=BY_SERVER,
    ),
    Rule(
        "hub-address",
        "What answers at the hub's address is not this hub's API (404).",
        "The administrator has to see that JUPYTERHUB_API_URL ends with the hub's base_url and hub/api.",
        says=(_NO_HUB, r"HTTP(?:Error)?:? 404\b|answered 404"),
        ends=BY_SERVER,
    ),
    Rule(
        "hub-error",
        "The hub answered the server with an error of its own.",
        "Try again; if it fails again, the hub's log says why.",
        says=(_NO_HUB, r"HTTP(?:Error)?:? 5(?!99)\d\d\b|answered 5\d\d"),
        ends=BY_SERVER,
    ),
    Rule(
        "hub-timeout",
        "The server cannot reach the hub: nothing comes back from its address.",
        "The administrator has to let servers through the firewall to the hub's port. " + _ADDRESS,
        says=(_NO_HUB, r"timed? ?out|HTTP 599|No route to host|Network is unreachable"),
        ends=BY_SERVER,
    ),
    Rule(
        "hub-unreachable",
        "The server cannot reach the hub: nothing takes its connections at the hub's address.",
        _ADDRESS + " In a container, 127.0.0.1 is the container itself.",
        says=_NO_HUB,
        ends=BY_SERVER,
    ),
    Rule(
        "not-by-hub",
        "The server lacks what the hub tells it in its environment: {variable} is not there.",
        "Something between the hub and the server drops JUPYTERHUB_ variables: a wrapper script, sudo or"
        " `env -i`.",
        says=r"^(?:carrel-singleuser: |KeyError: '|.*)(?P<variable>JUPYTERHUB_[A-Z_]+)(?:' *$| is not set"
        r"| env is required)",
        stages=BEFORE_ANSWER,
        ends=BY_SERVER,
    ),
)

_LISTENING = (
    Rule(
        "port-taken",
        "The port on which the server should listen is in use by another program.",
        "Try again: it gets another port, unless c.Spawner.port fixes one.",
        says=r"Address already in use|EADDRINUSE|port \d+ is (?:already in use|not available)|\[Errno 98\]"
        r"|\[Errno 48\]"
        r"|no available port could be found|port is already allocated",
    ),
    Rule(
        "address-missing",
        "The server cannot listen on its address, because the machine that it runs on does not have it.",
        "The administrator has to set c.Spawner.ip to an address of that machine; 0.0.0.0 takes all of them.",
        says=r"Cannot assign requested address|EADDRNOTAVAIL|Can't assign requested address|\[Errno 99\]",
        stages=BEFORE_ANSWER,
    ),
    Rule(
        "port-forbidden",
        "The server may not listen on its port: ports below 1024 are for root.",
        "The administrator has to set c.Spawner.port to 0 or to a port above 1023.",
        says=r"Permission to listen on port \d+ denied|bind.{0,80}(?:permission denied|Errno 13)",
        stages=BEFORE_ANSWER,
    ),
    Rule(
        "redirect-loop",
        "The server and the hub send the browser back and forth without end.",
        "Delete the cookies of this site and try again; if it goes on, the versions of jupyterhub beside"
        " the hub and"
        " the server differ, or the proxy in front changes paths.",
        says=r"too many redirects|ERR_TOO_MANY_REDIRECTS|redirect loop(?!s!)",
    ),
)

RULES = _HUB + _LISTENING

#: What was seen from outside, when nobody has said why.
OBSERVED = (
    Rule(
        "server-error",
        "The server answers, but with status {answered}.",
        "Its log below says why; most often an extension or a page of its own fails.",
        ends=_SILENT,
        facts={"answered": r"5\d\d"},
    ),
    Rule(
        "wrong-port",
        "The server listens on port {listens} and not on {port}, where the hub expects it.",
        "It has to listen where JUPYTERHUB_SERVICE_URL says: remove port from its configuration and its"
        " command"
        " line.",
        ends=_SILENT,
        facts={"listens": r".+"},
    ),
    Rule(
        "not-listening",
        "The server runs, but nothing takes connections at {url} within {limit} seconds.",
        "It has to listen where JUPYTERHUB_SERVICE_URL says. In a container or on another machine"
        " c.Spawner.ip has"
        " to be 0.0.0.0. If it only needs longer, the administrator can raise c.Spawner.http_timeout.",
        ends=_SILENT,
        facts={"reach": "refused"},
    ),
    Rule(
        "not-reachable",
        "The hub cannot reach the server: nothing comes back from {url}.",
        "The administrator has to let the hub through to the servers' ports: a firewall, security group or"
        " network"
        " policy is in between, or the server hangs.",
        ends=_SILENT,
        facts={"reach": "timeout"},
    ),
    Rule(
        "server-name",
        "The hub cannot find the server: the name in {url} is not known.",
        "The administrator has to see what address the spawner gives, and whether the hub's name server"
        " knows it.",
        ends=_SILENT,
        facts={"reach": "name"},
    ),
    Rule(
        "not-http",
        "Something listens at {url}, but it does not speak HTTP.",
        "If the server has TLS of its own, remove certfile and keyfile from its configuration: the hub"
        " speaks plain"
        " HTTP to it.",
        ends=_SILENT,
        facts={"reach": "garbage"},
    ),
)
