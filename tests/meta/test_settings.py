"""Every setting is explained, in the reference that is written from the schema."""

from __future__ import annotations

import dataclasses

import pytest

from carrel.config.document import settings_page
from carrel.config.schema import Settings
from tests.rigs.places import ROOT

PAGE = ROOT / "docs" / "reference" / "settings.md"
SETTINGS = [field for field in dataclasses.fields(Settings) if "help" in field.metadata]


@pytest.mark.parametrize("field", SETTINGS, ids=lambda field: field.name)
def test_a_setting_has_a_help_text_and_stands_in_the_reference(field: dataclasses.Field[object]) -> None:
    assert field.metadata["help"].strip().endswith((".", "…", ")"))
    assert f"`{field.name}`" in PAGE.read_text()


def test_the_reference_is_what_the_schema_says() -> None:
    assert PAGE.read_text() == settings_page(), (
        "run: python -m carrel.config.document > docs/reference/settings.md"
    )
