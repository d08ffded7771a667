"""What is wrong with deployers' templates is told before anybody sees a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.config.schema import Settings
from carrel.web.template_check import check_templates


def check(directory: Path, **files: str | bytes) -> list[str]:
    """Return what is said of files, as `NAME LINE TEXT`; `__` in a name is a dot."""
    place = directory / "mine"
    place.mkdir()
    for name, text in files.items():
        (place / name.replace("__", ".")).write_bytes(text if isinstance(text, bytes) else text.encode())
    settings = Settings(cookie_secret=b"0" * 32, directory=directory, template_paths=["mine"])
    return [f"{Path(flaw.file).name} {flaw.line} {flaw.text}" for flaw in check_templates(settings)]


def test_without_templates_there_is_nothing_to_check() -> None:
    assert check_templates(Settings(cookie_secret=b"0" * 32)) == []


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    settings = Settings(cookie_secret=b"0" * 32, directory=tmp_path, template_paths=["none"])
    assert [str(flaw) for flaw in check_templates(settings)] == [
        f"{tmp_path}/none: there is no such directory (c.JupyterHub.template_paths)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n{% if %}", "2 Expected an expression, got 'end of statement block'"),
        (b"a\nb\n\xff", "3 it is not in UTF-8"),
        (
            '{% extends "templates/logn.html" %}',
            "1 there is no template templates/logn.html; templates/login.html is near",
        ),
        ('\n{% include "elsewhere.html" %}', "2 there is no template elsewhere.html"),
        ('{% from "macros.html" import x %}', "1 there is no template macros.html"),
        ('{% extends "login.html" %}', '1 it extends itself; the hub\'s own is "templates/login.html"'),
        (
            '{% extends "page.html" %}\n{% block mein %}x{% endblock %}',
            "2 no template above has a block mein: it is never shown; main is near",
        ),
        (
            "\n<script>$('#x').hide()</script>",
            "2 its script uses jQuery, which the hub's pages do not load: load it before",
        ),
    ],
)
def test_each_kind_of_flaw_is_named_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert check(tmp_path, login__html=text) == [f"login.html {said}"]


def test_a_page_by_a_name_that_is_nearly_the_hub_s(tmp_path: Path) -> None:
    told = check(tmp_path, **{"spawn-pending__html": "x", "signup__html": "x", "502__html": "x"})
    assert told == ["spawn-pending.html 1 the hub has no page by this name; spawn_pending.html is near"]


def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    inner = "{% block main %}{% block mine %}{% endblock %}{% endblock %}"
    told = check(
        tmp_path,
        page__html='{% extends "templates/page.html" %}' + inner,
        home__html='{% extends "page.html" %}{% block mine %}x{% endblock %}',
        logout__html='{% include "may.html" ignore missing %}',
        error__html="{% extends parent %}{% block any %}{% endblock %}{% include chosen %}",
        login__html='<script src="https://cdn.example/jquery.min.js"></script><script>$(go)</script>',
    )
    assert told == []
