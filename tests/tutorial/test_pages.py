"""The tutorial's pages: all code in them is some example's, every example is named, and links lead on."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.rigs.places import ROOT
from tests.tutorial.examples import DEPLOY, TUTORIAL

PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
FILES = [path for place in (TUTORIAL, DEPLOY) for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_stands_in_an_example_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    sources = [path.read_text() for path in FILES]
    for code in re.findall(r"```python\n(.*?)```", text, re.S):
        assert any(code in source for source in sources), code
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_example_has_its_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for place in TUTORIAL.iterdir():
        assert place.is_file() or f"examples/tutorial/{place.name}/" in text, place.name
    for place in DEPLOY.iterdir():
        assert place.is_file() or f"deploy/{place.name}/" in text, place.name


def test_the_chapters_follow_each_other() -> None:
    chapters = [page.name for page in PAGES if page.name[0].isdigit()]
    for page, following in pairwise(chapters):
        assert "\nNext: [" in (PAGES[0].parent / page).read_text(), page
        assert f"]({following})\n" in (PAGES[0].parent / page).read_text(), page
