"""A deployer's form, shown again with what was filled in: only the values of its HTML change."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from typing import Any

_BOXES = {"checkbox", "radio"}
#: Passwords and files are not shown again, and the others hold nothing that a visitor filled in.
_KEPT = {"password", "file", "hidden", "submit", "button", "image", "reset"}
_Attributes = list[tuple[str, str | None]]


def fill_in(html: str, values: Mapping[str, list[Any]], *, complete: bool = True) -> str:
    """Return a form with `values`, each a list as a browser sends it, in its fields.

    Fields without a value keep theirs. Boxes and choices that were sent without any are empty, since browsers
    do not send those that are; not so when the values are not `complete`, as those of a link.
    """
    filler = _Filler(values, complete)
    filler.feed(html)
    filler.close()
    return "".join(filler.written)


class _Filler(HTMLParser):
    """Copies HTML, with other values in its fields."""

    def __init__(self, values: Mapping[str, list[Any]], complete: bool) -> None:
        super().__init__(convert_charrefs=False)
        self.written: list[str] = []
        self._values = {name: [str(value) for value in given] for name, given in values.items()}
        self._complete = complete
        self._used: dict[str, int] = {}
        self._chosen: list[str] | None = None
        """What is chosen of the select that is open; None when it stays as it is."""
        self._option: tuple[int, _Attributes] | None = None
        """Where the option that is open was written: its text may be its value."""
        self._in_textarea = False
        self._skipping = False
        """What the textarea that is open held is left out."""

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        if self._in_textarea:
            self.handle_data(self.get_starttag_text() or "")
            return
        name = dict(attrs).get("name") or ""
        if tag in {"option", "optgroup"}:
            self._close_option()
        if tag == "input":
            self.written.append(_tag(tag, self._input(name, attrs)))
        elif tag == "option" and self._chosen is not None:
            self._option = (len(self.written), attrs)
            self.written.append("")
        else:
            self.written.append(self.get_starttag_text() or "")
        if tag == "select":
            emptied = self._complete and "multiple" in dict(attrs)
            self._chosen = self._values.get(name, [] if emptied else None)
        elif tag == "textarea":
            self._in_textarea, self._skipping = True, name in self._values
            if self._skipping:
                # A line break right after the tag is no part of the value.
                self.written.append("\n" + escape(self._next(name), quote=False))

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._in_textarea and tag != "textarea":
            self.handle_data(f"</{tag}>")
            return
        if tag in {"option", "optgroup", "select"}:
            self._close_option()
        if tag == "select":
            self._chosen = None
        if tag == "textarea":
            self._in_textarea = self._skipping = False
        self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.written.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.handle_data(f"<!--{data}-->")

    def close(self) -> None:
        super().close()
        self._close_option()

    def _input(self, name: str, attrs: _Attributes) -> _Attributes:
        kind = (dict(attrs).get("type") or "text").lower()
        sent = self._values.get(name)
        if kind in _BOXES:
            if sent is None and not self._complete:
                return attrs
            return _marked(attrs, "checked", (dict(attrs).get("value") or "on") in (sent or []))
        if kind in _KEPT or sent is None:
            return attrs
        return [*(pair for pair in attrs if pair[0] != "value"), ("value", self._next(name))]

    def _next(self, name: str) -> str:
        """Return the next value of a field, of which there may be several; the last one when they run out."""
        given, place = self._values[name], self._used.get(name, 0)
        self._used[name] = place + 1
        return given[min(place, len(given) - 1)] if given else ""

    def _close_option(self) -> None:
        if self._option is None or self._chosen is None:
            return
        (place, attrs), self._option = self._option, None
        value = dict(attrs).get("value")
        said = value if value is not None else "".join(self.written[place + 1 :]).strip()
        self.written[place] = _tag("option", _marked(attrs, "selected", said in self._chosen))


def _marked(attrs: _Attributes, mark: str, on: bool) -> _Attributes:
    others = [pair for pair in attrs if pair[0] != mark]
    return [*others, (mark, None)] if on else others


def _tag(tag: str, attrs: _Attributes) -> str:
    parts = [name if value is None else f'{name}="{escape(value)}"' for name, value in attrs]
    return f"<{' '.join([tag, *parts])}>"
