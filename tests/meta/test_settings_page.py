"""The reference page of the settings is what the schema says today."""

from __future__ import annotations

from pathlib import Path

from carrel.config.document import settings_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_current() -> None:
    advice = "run `python -m carrel.config.document > docs/reference/settings.md`"
    assert PAGE.read_text(encoding="utf-8") == settings_page(), advice
