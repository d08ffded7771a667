"""Lines, characters, targets, versions and hosts."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dataplane.corpus.cases import (
    GET,
    HIDDEN,
    HOST,
    PATH,
    Call,
    Case,
    declined,
    ending,
    refused,
    served,
)

CONTROLS = [bytes((code,)) for code in (*range(9), *range(10, 32), 127)]
DELIMITERS = [bytes((code,)) for code in b' "(),/;<=>?@[\\]{}\t\x80\xff']
#: Where a line ends in another way than CR LF.
BAD_LINES = (
    b"GET /user/u/MARK.first HTTP/1.1\nHost: h\n\n",
    b"GET /user/u/MARK.first HTTP/1.1\nHost: h\r\n\r\n",
    b"GET /user/u/MARK.first HTTP/1.1\rHost: h\r\r",
    b"GET /user/u/MARK.first HTTP/1.1\r\r\nHost: h\r\n\r\n",
    b"GET /user/u/MARK.first HTTP/1.1\n\rHost: h\n\r\n\r",
    GET + b"\n",
    GET + b"\r\r\n",
    GET + b"X: y\n\r\n",
    GET + b"X: y\r\n\n",
    GET + b"X: y\r\r\n\r\n",
    GET + b"X: y\rZ: z\r\n\r\n",
    GET + b"X: y\nZ: z\r\n\r\n",
    GET + b"X: y\r\n\rZ: z\r\n\r\n",
    GET + b"X: y\n\n" + HIDDEN,
    GET + b"X: y\r\n \r\n\r\n",
    GET + b"X: y\r\n\tz\r\n\r\n",
    GET + b"X: y\r\n z: z\r\n\r\n",
    GET + b"X:\r\n y\r\n\r\n",
    GET + b" \r\n\r\n",
    GET + b"X\r\n\r\n",
    GET + b"X y\r\n\r\n",
    GET + b": y\r\n\r\n",
    GET + b"X : y\r\n\r\n",
    GET + b"X\x00: y\r\n\r\n",
    b"GET /user/u/MARK.first HTTP/1.1\r\n Host: h\r\n\r\n",
    b"GET /user/u/MARK.first HTTP/1.1\r\n X: y\r\nHost: h\r\n\r\n",
    b"GET /user/u/MARK.first HTTP/1.1\r\n\tHost: h\r\n\r\n",
)
BAD_STARTS = (
    b" ",
    b"\t",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\x0b",
    b"\r\n ",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"G\r\nET ",
    b"HTTP/1.1 200 OK\r\n\r\n",
)
BAD_VERSIONS = (
    b"|HTTP/0.9|HTTP/1.2|HTTP/1.10|HTTP/1.01|HTTP/01.1|HTTP/1|HTTP/1.|HTTP/.1|HTTP/2|HTTP/2.0|HTTP/3.0|HTTP/9.9"
    b"|http/1.1|Http/1.1|HTTP/1.1.1|HTTP/1,1|HTTP /1.1|HTTP/ 1.1|HTTP/1 .1|HTTP/1. 1|HTTP\\1.1|HTTP/-1.1"
    b"|HTTP/+1.1|HTTP/1.1 HTTP/1.1|XTTP/1.1|HTTPS/1.1|ICE/1.0|SIP/2.0|HTTP/1.1\x00|HTTP/1.1x|HTTP/1.\xb1"
).split(b"|")
BAD_TARGETS = (
    b"h:80|*|**|user/u/@|.|..|?x|\\user\\u\\@|http:/user/u/MARK|http:user/u/@|http://|http:///user/u/MARK|ftp://h/user/u/MARK"
    b"|ws://h/user/u/MARK|file:///user/u/MARK|http://a@h/user/u/MARK|http://@h/user/u/MARK|http://a:b@h/user/u/MARK"
    b"|http://h\\@e/user/u/MARK|http://h\\/user/u/MARK|http://h#/user/u/MARK|http://h h/user/u/MARK|http://[::1/user/u/MARK"
    b"|http://h:x/user/u/MARK|http://h:80:80/user/u/MARK|http://h,e/user/u/MARK|://h/user/u/MARK|http//h/user/u/MARK"
    b"|/user/u/MARK#x|/user/u/MARK x|/user/u/MARK HTTP/1.1 x|/user/u/MARK\xff|/user/u/\xc3\xa9"
).split(b"|")
STEPS = (
    b"/user/u/../MARK|/user/u/%2e%2e/MARK"
    b"|/user/u/%2E./MARK|/user/u/..%2fMARK|/user/u/..\\MARK|/user/u/..%5cMARK|/user/u/..;/MARK|/user/u/./MARK|/user/u/.%2fMARK|/user/u/.."
).split(b"|")
GOOD_TARGETS = (
    b"http://h/user/u/MARK.first",
    b"HTTP://h/user/u/MARK.first",
    b"https://h:443/user/u/MARK.first",
    b"http://127.0.0.1:8000/user/u/MARK.first",
    b"http://[::1]:80/user/u/MARK.first",
)
BAD_HOSTS = (
    b'h h|h,e|h/e|h\\e|a@h|h?x|h#x|h:x|h:80:80|<h>|h\x00|\x01h|h\x7f|\xc3\xa9|h"|[::1|::1]|h, h|h\th'
).split(b"|")
GOOD_HOSTS = (
    b"h",
    b"h:80",
    b"a-b.c_d.e",
    b"127.0.0.1:8000",
    b"[::1]",
    b"[fe80::1]:80",
    b"H.",
    b"h%20",
    b"h:",
)


def cases() -> Iterator[Case]:
    """Return the cases about request lines and header lines."""
    yield from _lines()
    yield from _characters()
    yield from _targets()
    yield from _hosts()


def _lines() -> Iterator[Case]:
    for raw in BAD_LINES:
        yield refused("line", raw)
    for start in BAD_STARTS:
        yield refused("start", start + GET + b"\r\n")
    for version in BAD_VERSIONS:
        yield refused("version", b"GET " + PATH + b" " + version + b"\r\n" + HOST + b"\r\n")
    yield refused("no version", b"GET " + PATH + b"\r\n" + HOST + b"\r\n")
    yield refused("no version, alone", b"GET " + PATH + b"\r\n")
    yield served("an empty line before", b"\r\n" + GET + b"\r\n", Call())
    yield served("two empty lines before", b"\r\n\r\n" + GET + b"\r\n", Call())
    for line in (b"X:", b"X: ", b"X:\t", b"X: \xff\x80", b"X: y\t z", b"!#$%&'*+-.^_`|~09aZ: y"):
        yield served("good line", GET + line + b"\r\n\r\n", Call())
    old = GET.replace(b"1.1", b"1.0")
    yield served("kept 1.0", old + b"Connection: keep-alive\r\n\r\n", Call())
    yield ending("plain 1.0", old + b"\r\n", Call())
    yield ending("1.0 without a host", old.replace(HOST, b"") + b"\r\n", Call())


def _characters() -> Iterator[Case]:
    for code in CONTROLS:
        yield refused("control in a value", GET + b"X: a" + code + b"b\r\n\r\n")
        yield refused("control in a name", GET + b"X" + code + b"Y: b\r\n\r\n")
        yield refused("control in a target", GET.replace(b"first", b"a" + code + b"b") + b"\r\n")
        yield refused("control in a method", b"G" + code + GET[1:] + b"\r\n")
    for code in DELIMITERS:
        yield refused("delimiter in a name", GET + b"X" + code + b"Y: b\r\n\r\n")
        yield refused("delimiter in a method", b"G" + code + GET[1:] + b"\r\n")
    for method in (
        b"get",
        b"Get",
        b"GETS",
        b"GE",
        b"CONNECT",
        b"TRACE",
        b"TRACK",
        b"DEBUG",
        b"SOURCE",
        b"PRI",
    ):
        yield refused("method", method + GET[3:] + b"\r\n")


def _targets() -> Iterator[Case]:
    for target in BAD_TARGETS:
        yield refused("target", b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    yield refused("authority", b"CONNECT h:80 HTTP/1.1\r\n" + HOST + b"\r\n")
    for target in STEPS:
        yield declined("step", b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    for target in GOOD_TARGETS:
        yield served("absolute", b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", Call())


def _hosts() -> Iterator[Case]:
    line = b"GET " + PATH + b" HTTP/1.1\r\n"
    yield refused("no host", line + b"\r\n")
    yield refused("two hosts", line + HOST + HOST + b"\r\n")
    yield refused("two hosts apart", line + HOST + b"X: y\r\nhost: e\r\n\r\n")
    yield refused("two hosts, absolute", b"GET http://h" + PATH + b" HTTP/1.1\r\n" + HOST + HOST + b"\r\n")
    for host in BAD_HOSTS:
        yield refused("host", line + b"Host: " + host + b"\r\n\r\n")
    for host in GOOD_HOSTS:
        yield served("good host", line + b"Host: " + host + b"\r\n\r\n", Call())
