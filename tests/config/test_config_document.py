"""The sample file and the reference page come from the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import Any, Integer, Unicode
from traitlets.config import Configurable

from carrel.config.document import generate_config, settings_page
from carrel.config.load import load
from carrel.config.schema import Settings, setting_fields
from carrel.config.upstream import HUB_TRAITS


class Kettle(Configurable):
    """Boils water."""

    degrees = Integer(
        100,
        help="""How hot.

        In Celsius.""",
    ).tag(config=True)


def test_the_sample_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_config.py").write_text(generate_config([Kettle]))
    loaded = load([], tmp_path, {})
    assert loaded.warnings == []
    assert all(getattr(loaded.settings, name) == getattr(Settings(), name) for name in setting_fields())


@pytest.mark.parametrize("name", sorted(setting_fields()))
def test_every_setting_is_in_both(name: str) -> None:
    section = "JupyterHub" if name in HUB_TRAITS else "Carrel"
    assert f"\n# c.{section}.{name} = " in generate_config()
    assert f"\n| `{name}` | " in settings_page()


def test_the_sample_without_comment_signs_is_valid(tmp_path: Path) -> None:
    lines = generate_config([Kettle]).splitlines()
    text = "\n".join(line.removeprefix("# ") if line.startswith("# c.") else line for line in lines)
    text = text.replace("c.JupyterHub.cookie_secret = b''", "")
    (tmp_path / "jupyterhub_config.py").write_text(text)
    settings = load([], tmp_path, {}).settings
    assert settings.plugins.Kettle.degrees == 100


class Samovar(Kettle):
    """Boils water for many."""

    cups = Integer(12, help="For how many.").tag(config=True)
    tap_token = Unicode("from outside", help="Opens the tap.").tag(config=True)
    guests = Any(lambda: 5, help="Who comes.").tag(config=True)


def test_a_class_brings_its_bases_along_once() -> None:
    text = generate_config([Samovar, Kettle])
    assert text.count("c.Kettle.degrees") == 1
    assert text.index("c.Kettle.degrees = 100") < text.index("c.Samovar.cups = 12")
    assert "c.Samovar.degrees" not in text
    assert "# c.Samovar.guests = ...\n" in text
    assert "# c.Samovar.tap_token = ...\n" in text


def test_classes_have_sections_of_their_own() -> None:
    assert "# Kettle: Boils water." in generate_config([Kettle])
    assert "## How hot. In Celsius.\n# c.Kettle.degrees = 100\n" in generate_config([Kettle])
