"""A form of the deployer's, shown again with what was filled in."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.web.filling import fill_in

FORM = """
<!-- <input name="a"> --><p class=x>Café &amp; &copy; 1 < 2</p>
<input name="a" value="old"><input type='number' name=n min=1>
<input name="two"><input name="two">
<input type="checkbox" name="box" value="1" checked><input type="checkbox" name="box" value="2">
<input type="radio" name="pick" value="x" checked /><input type="radio" name="pick" value="y" />
<input type="password" name="secret" value="kept"><input type="hidden" name="h" value="kept">
<select name="s"><optgroup label="g"><option selected>one<option value="2">two</optgroup></select>
<select name="m" multiple><option value="a" selected>A</option><option value="b">B</option></select>
<textarea name="t">old <b>text</b></textarea>
<script>if (a < b) { document.write("<input name='a'>") }</script>
"""


def test_every_kind_of_field_is_filled_in() -> None:
    sent = {
        "a": ['"new" & <b>'],
        "n": ["3"],
        "two": ["first", "second"],
        "box": ["2"],
        "pick": ["y"],
        "secret": ["typed"],
        "h": ["forged"],
        "s": ["2"],
        "m": ["b"],
        "t": ["</textarea><script>"],
    }
    html = fill_in(FORM, sent)
    for piece in (
        '<input name="a" value="&quot;new&quot; &amp; &lt;b&gt;">',
        'name="n" min="1" value="3">',
        '<input name="two" value="first"><input name="two" value="second">',
        'name="box" value="1"><input type="checkbox" name="box" value="2" checked>',
        'name="pick" value="x"><input type="radio" name="pick" value="y" checked>',
        'name="secret" value="kept">',
        'name="h" value="kept">',
        '<option>one<option value="2" selected>two</optgroup>',
        '<option value="a">A</option><option value="b" selected>B</option>',
        '<textarea name="t">\n&lt;/textarea&gt;&lt;script&gt;</textarea>',
        """<script>if (a < b) { document.write("<input name='a'>") }</script>""",
        '<!-- <input name="a"> --><p class=x>Café &amp; &copy; 1 < 2</p>',
    ):
        assert piece in html


def test_boxes_that_were_not_sent_are_empty_only_when_all_was_sent() -> None:
    whole = fill_in(FORM, {"a": ["x"]})
    assert 'name="box" value="1">' in whole
    assert '<option value="a">A' in whole
    assert 'name="t">old <b>text</b></textarea>' in whole
    part = fill_in(FORM, {"a": ["x"]}, complete=False)
    assert '<input type="checkbox" name="box" value="1" checked>' in part
    assert '<option value="a" selected>A' in part
    assert 'name="t">old <b>text</b></textarea>' in part


class Reader(HTMLParser):
    """What a browser would see of a form's fields."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str | None] = {}
        self.tags: list[str] = []
        self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        if tag == "input":
            self.values[str(found["name"])] = found.get("value")
        if tag == "textarea":
            self._area = str(found["name"])
            self.values[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] = f"{self.values[self._area]}{data}"


@given(text=st.text(st.characters(blacklist_categories=("Cs", "Cc"))), area=st.text("<>/&'\"ab \n;"))
def test_whatever_was_typed_comes_back_and_is_no_markup(text: str, area: str) -> None:
    read = Reader(fill_in('<input name="a"><textarea name="t">x</textarea>', {"a": [text], "t": [area]}))
    assert read.values == {"a": text, "t": f"\n{area}"}
    assert read.tags == ["input", "textarea"]


@pytest.mark.parametrize("html", ["", "<", "<input", "<select name=s><option>a", "<textarea name=t>", "&amp"])
def test_forms_that_are_broken_stay_so(html: str) -> None:
    fill_in(html, {"s": ["a"], "t": ["x"]})
