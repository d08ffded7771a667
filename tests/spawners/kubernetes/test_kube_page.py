"""The page about Kubernetes says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from carrel.app.classes import SPAWNERS
from carrel.lib.registry import UnknownClass, find_class
from carrel.spawners.kubernetes.settings import KubeSettings
from carrel.spawners.kubernetes.spawner import KubeSpawner

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "kubernetes.md").read_text()


@pytest.mark.parametrize("name", sorted(KubeSettings.class_traits(config=True)))
def test_every_setting_is_on_the_page_and_explained(name: str) -> None:
    assert f"`{name}`" in PAGE
    assert KubeSettings.class_traits()[name].help


def test_the_rights_are_a_role() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    kubernetes_validate.validate(yaml.safe_load(text), kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", ["kubernetes", "kube", "Kubernetes"])
def test_it_is_found_by_its_names(name: str) -> None:
    assert find_class(name, SPAWNERS) is KubeSpawner


def test_who_names_the_package_without_having_it_is_told_of_the_built_in() -> None:
    with pytest.raises(UnknownClass, match="use the built-in 'kubernetes'"):
        find_class("kubespawner.KubeSpawner", SPAWNERS)
