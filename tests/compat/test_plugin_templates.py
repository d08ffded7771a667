"""The templates of plug-ins' pages: beside the hub's, and compiled once however often they are added."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader

from carrel.compat.templates import PluginTemplates

HUB = {"page.html": "<title>{% block main %}{% endblock %}</title>", "both.html": "the hub's"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "mine.html").write_text('{% extends "page.html" %}{% block main %}mine{% endblock %}')
    (tmp_path / "both.html").write_text("mine")
    (tmp_path / "lively.html").write_text(
        "<script>1</script><SCRIPT src='x'></SCRIPT><script nonce='{{ csp_nonce }}'>2</script>"
        '{{ sent }}<button onclick="go()">'
    )
    return tmp_path


def templates(*directories: Path) -> PluginTemplates:
    return PluginTemplates(Environment(loader=DictLoader(HUB), trim_blocks=True), directories)


def test_the_hubs_come_first_and_may_be_extended(directory: Path) -> None:
    env = templates(directory)
    assert env.get_template("mine.html").render() == "<title>mine</title>"
    assert env.get_template("both.html").render() == "the hub's"
    assert [env.is_plugins(name) for name in ("mine.html", "both.html", "page.html")] == [True, False, False]


def test_what_is_added_at_each_request_is_added_once(directory: Path) -> None:
    env = templates()
    env.loader = ChoiceLoader([env.loader, FileSystemLoader([str(directory)])])  # type: ignore[list-item]
    loader, compiled = env.loader, env.get_template("mine.html")
    for _ in range(3):
        env.loader = ChoiceLoader([env.loader, FileSystemLoader([str(directory)])])
    assert env.loader is loader
    assert isinstance(loader, ChoiceLoader)
    assert len(loader.loaders) == 2
    assert env.get_template("mine.html") is compiled


def test_a_plugin_may_put_its_own_first(directory: Path) -> None:
    env = templates()
    env.loader = ChoiceLoader([FileSystemLoader([str(directory)]), env.loader])  # type: ignore[list-item]
    assert env.get_template("both.html").render() == "mine"


def test_scripts_of_templates_may_run_and_those_in_values_may_not(directory: Path) -> None:
    env = templates(directory)
    page = env.get_template("lively.html").render(csp_nonce="n0", sent="<script>3</script>")
    assert page.count('nonce="n0"') == 2
    assert page.count("nonce='n0'") == 1
    assert "&lt;script&gt;3" in page
    assert env.policy.templates
    # One inline handler, known by its hash.
    assert [each.startswith("'sha256-") for each in env.policy.handlers] == [True]
