"""What the deployer's HTML needs of a page's policy."""

from __future__ import annotations

from carrel.http.deployers_html import deployers_markup, inline_handlers
from carrel.http.headers import page_policy
from carrel.http.request import RequestFacts


def test_markup_that_does_nothing_leaves_the_policy_alone() -> None:
    facts = RequestFacts("1", "GET", "/", "/", "", "http", "")
    notice = "<b>Down on <a href='/x'>Sunday</a></b>"
    assert deployers_markup(facts, notice) == notice
    assert facts.deployers is None
    assert facts.nonce == ""


def test_only_handlers_that_are_the_same_on_every_visit_are_let_through() -> None:
    double = inline_handlers("<a onclick=\"console.log('x')\">")
    assert double == inline_handlers("<a onClick = 'console.log(&#x27;x&#x27;)'>")
    assert len(inline_handlers('<a onclick="a()"><b onfocus="b()"><i on="c()">')) == 2
    assert inline_handlers('<a onclick="go({{ where }})">') == frozenset()
    assert inline_handlers("<p>once = 'x'</p>") == frozenset()


def test_scripts_of_settings_get_the_nonce_once() -> None:
    facts = RequestFacts("1", "GET", "/", "/", "", "http", "")
    shown = deployers_markup(facts, "<script>a()</script><script nonce='own'>b()</script>")
    assert shown == f"<script nonce={facts.nonce}>a()</script><script nonce='own'>b()</script>"
    policy = page_policy(facts)
    assert f"script-src 'self' 'nonce-{facts.nonce}';" in policy
    assert "unsafe-inline' https:; img" in policy
    assert "frame-ancestors 'none'" in policy
