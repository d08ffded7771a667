"""The configuration that HAProxy is started with; the routes are not in it."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.lib.net import join_host
from carrel.proxy.haproxy_entries import INNER_SLASH

#: The stick table whose rows count what goes over each route.
ACTIVITY_TABLE = "carrel_activity"
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>The server does not answer</title>"
    "<h1>The server does not answer</h1><p>It may be starting, or it may have stopped. "
    "<a href=HUB>Look after your servers</a>, or load this page again in a moment.</p>"
)
_TEMPLATE = """\
# Written by Carrel at every start; what you change here is lost. Set c.HAProxyProxy.… instead.
global
    stats socket {socket} mode 600 level admin
    hard-stop-after 24h
{extra_global}
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout http-request 30s
    timeout http-keep-alive 75s
    timeout client 1h
    timeout server 1h
    timeout client-fin 30s
    timeout tunnel 24h

frontend carrel
    bind {bind}
{extra_frontend}{routing}
"""
_ROUTING = """\
    monitor-uri /_chp_healthz
    # Without this, bytes count only when a connection ends: an open websocket would look idle.
    option contstats
    http-request set-header X-Forwarded-For %[req.fhdr(X-Forwarded-For)],%[src] \
if {{ req.fhdr(X-Forwarded-For) -m found }}
    http-request set-header X-Forwarded-For %[src] unless {{ req.fhdr(X-Forwarded-For) -m found }}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http unless {{ req.fhdr(X-Forwarded-Proto) -m found }}
    http-request set-header X-Forwarded-Host %[req.hdr(Host)] unless {{ req.fhdr(X-Forwarded-Host) -m found }}
    http-request set-header X-Forwarded-Port %[dst_port] unless {{ req.fhdr(X-Forwarded-Port) -m found }}
    # What the server behind could read as another path is refused.
    http-request deny deny_status 400 unless {{ path,url_dec -m found }}
    http-request deny deny_status 400 if {{ path,url_dec -m reg '[/\\\\][.][.]?([/\\\\;]|$)' }}
    # The longest route that begins the path, all of it decoded; the path itself goes on as it came.
    http-request set-var(txn.carrel_path) 'path,concat(/),regsub(%2[fF],{inner},g),url_dec,url_enc'
    http-request set-var(txn.carrel_route) \
'var(txn.carrel_path),map_beg({map_file},hub|{hub_host}|{hub_port}|)'
    default_backend carrel

backend carrel
    http-request set-dst 'var(txn.carrel_route),field(2,|)'
    http-request set-dst-port 'var(txn.carrel_route),field(3,|)'
    # Redirects and errors are no activity.
    http-response track-sc0 'var(txn.carrel_route),field(1,|)' table {table} if {{ status lt 300 }}
    http-response sc-inc-gpc0(0) if {{ status lt 300 }}
    http-error status 503 content-type "text/html; charset=utf-8" string '{page}' hdr Retry-After 5
    server route 0.0.0.0:0

backend {table}
    stick-table type string len 32 size 100k expire 24h store gpc0,bytes_in_cnt
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where HAProxy listens and what the administrator adds."""

    ip: str
    port: int
    bind_options: str
    socket: str
    extra_global: str
    extra_frontend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where goes what has no route, and where the routes are."""

    address: tuple[str, int]
    home: str
    map_file: str


def routing_lines(hub: Hub) -> str:
    """Return the end of a `frontend` and the two backends that make it follow the routes."""
    host, port = hub.address
    page = _PAGE.replace("HUB", hub.home)
    return _ROUTING.format(
        inner=INNER_SLASH,
        map_file=hub.map_file,
        hub_host=host,
        hub_port=port,
        table=ACTIVITY_TABLE,
        page=page,
    )


def configuration(layout: Layout, hub: Hub) -> str:
    """Return the whole file."""
    bind = join_host(layout.ip, layout.port) if layout.ip else f"*:{layout.port}"
    return _TEMPLATE.format(
        socket=layout.socket,
        bind=f"{bind} {layout.bind_options}".rstrip(),
        extra_global=_indented(layout.extra_global),
        extra_frontend=_indented(layout.extra_frontend),
        routing=routing_lines(hub),
    )


def _indented(lines: str) -> str:
    return "".join(f"    {line.strip()}\n" for line in lines.splitlines() if line.strip())
