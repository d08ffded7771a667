"""Ports, addresses, certificates, the way to the hub."""

from __future__ import annotations

from tests.domain.failures.case import case, ended, raised, ran, silent, trace

JH = "[E JupyterHubSingleUser] Failed to connect to my Hub at http://hub:8081/hub/api (attempt 5/5). Is"
" it running?\n"
CARREL = "[W SingleUserServer] The hub does not answer: "
GONE = (
    "\n[C SingleUserServer] No hub answers at http://hub:8081/hub/api: is its address right, and does it run?"
)
VERIFY = "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "

CASES = (
    case(
        "port taken",
        "port-taken",
        "in use by another program",
        "another port",
        ended(trace("OSError: [Errno 98] Address already in use")),
        ended(
            "[W ServerApp] The port 8888 is already in use.\n[C ServerApp] ERROR: the Jupyter server could"
            " not be started"
            " because no available port could be found."
        ),
        ended("Error: listen EADDRINUSE: address already in use 127.0.0.1:8888"),
        silent("The port 8888 is already in use, trying another port.", listens="8889"),
        raised("driver failed: Bind for 0.0.0.0:8888 failed: port is already allocated", "APIError"),
    ),
    case(
        "address not there",
        "address-missing",
        "does not have it",
        "c.Spawner.ip",
        ended(trace("OSError: [Errno 99] Cannot assign requested address")),
        raised("[Errno 99] Cannot assign requested address", "OSError"),
    ),
    case(
        "port of root",
        "port-forbidden",
        "below 1024",
        "c.Spawner.port",
        ended("[W ServerApp] Permission to listen on port 80 denied."),
        ended("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)"),
    ),
    case(
        "hub's name unknown",
        "hub-name",
        "name in the hub's address is not known",
        "hub_connect_url",
        ended(JH + trace("socket.gaierror: [Errno -2] Name or service not known")),
        ended(
            CARREL
            + "gaierror at http://hub:8081/hub/api: [Errno -3] Temporary failure in name resolution"
            + GONE
        ),
        silent(JH + "OSError: Could not resolve host: hub"),
    ),
    case(
        "hub refuses connections",
        "hub-unreachable",
        "nothing takes its connections",
        "hub_connect_url",
        ended(JH + trace("ConnectionRefusedError: [Errno 111] Connection refused")),
        ended(
            CARREL
            + "ConnectionRefusedError at http://hub:8081/hub/api: [Errno 111] Connection refused"
            + GONE
        ),
        silent(
            "Failed to connect to Hub API at 'http://127.0.0.1:8081/hub/api'.  Is the Hub accessible at"
            " this URL?"
        ),
        silent(CARREL + "ConnectionRefusedError at http://hub:8081", reach="refused"),
    ),
    case(
        "hub behind a firewall",
        "hub-timeout",
        "nothing comes back",
        "firewall",
        ended(JH + trace("tornado.simple_httpclient.HTTPTimeoutError: Timeout while connecting")),
        ended(CARREL + "HTTPTimeoutError at http://hub:8081/hub/api: Timeout while connecting" + GONE),
        ended(JH + "OSError: [Errno 113] No route to host"),
    ),
    case(
        "hub at another path",
        "hub-address",
        "not this hub's API (404)",
        "JUPYTERHUB_API_URL",
        ended(JH + trace("tornado.httpclient.HTTPClientError: HTTP 404: Not Found")),
        ended(CARREL + "http://hub:8081/api answered 404" + GONE),
    ),
    case(
        "hub in trouble",
        "hub-error",
        "error of its own",
        "hub's log",
        ended(JH + trace("tornado.httpclient.HTTPClientError: HTTP 503: Service Unavailable")),
        ended(CARREL + "http://hub:8081/hub/api answered 502" + GONE),
    ),
    case(
        "token refused",
        "hub-token",
        "does not accept the server's token",
        "new token",
        ended(
            "I don't have permission to check authorization with JupyterHub, my auth token may have"
            " expired: [403] Forbidden"
        ),
        ended(JH + trace("tornado.httpclient.HTTPClientError: HTTP 403: Forbidden")),
        silent("[E SingleUserServer] The hub refuses a report of activity: the hub answered 403"),
        ended("carrel-singleuser: JUPYTERHUB_API_TOKEN is not set. This command is started by a hub."),
    ),
    case(
        "clocks apart",
        "clock-skew",
        "clocks",
        "NTP",
        ended(JH + VERIFY + "certificate is not yet valid (_ssl.c:1006)"),
        ended("jwt.exceptions.ImmatureSignatureError: The token is not yet valid (iat)"),
    ),
    case(
        "certificate expired",
        "certificate-expired",
        "has expired",
        "renew",
        ended(JH + VERIFY + "certificate has expired (_ssl.c:1006)"),
        ended(CARREL + "SSLCertVerificationError at https://hub: " + VERIFY + "certificate has expired"),
    ),
    case(
        "certificate for another name",
        "certificate-name",
        "for another name",
        "name in the certificate",
        ended(JH + VERIFY + "Hostname mismatch, certificate is not valid for 'hub'. (_ssl.c:1006)"),
        ended("ssl.CertificateError: hostname 'hub' doesn't match 'hub.example.org'"),
    ),
    case(
        "certificate not trusted",
        "certificate-untrusted",
        "does not trust the hub's certificate",
        "SSL_CERT_FILE",
        ended(JH + VERIFY + "self-signed certificate in certificate chain (_ssl.c:1006)"),
        silent(CARREL + "SSLError at https://hub: unable to get local issuer certificate"),
    ),
    case(
        "not started by the hub",
        "not-by-hub",
        "JUPYTERHUB_SERVICE_URL",
        "env -i",
        ended(
            "carrel-singleuser: JUPYTERHUB_SERVICE_URL is not set. This command is started by a hub, which"
            " sets it."
        ),
        ended(trace("KeyError: 'JUPYTERHUB_SERVICE_URL'")),
    ),
    case(
        "redirect loop",
        "redirect-loop",
        "back and forth",
        "cookies",
        ran("tornado.httpclient: too many redirects"),
        silent("ERR_TOO_MANY_REDIRECTS at /user/ada/lab"),
    ),
    case("server errors", "server-error", "status 503", "log below", silent("some words", answered="503")),
    case(
        "other port",
        "wrong-port",
        "listens on port 9999 and not on 8888",
        "JUPYTERHUB_SERVICE_URL",
        silent(listens="9999"),
    ),
    case(
        "listens nowhere",
        "not-listening",
        "nothing takes connections",
        "0.0.0.0",
        silent("starting", reach="refused"),
    ),
    case(
        "behind a firewall", "not-reachable", "cannot reach the server", "firewall", silent(reach="timeout")
    ),
    case("server's name unknown", "server-name", "name in http://127", "name server", silent(reach="name")),
    case("speaks something else", "not-http", "not speak HTTP", "TLS", silent(reach="garbage")),
)
