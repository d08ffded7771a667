"""What strangers write into the files that say what an environment is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel_client.repository.harmless_yaml import LARGEST
from carrel_client.repository.plan import find_plan
from carrel_client.repository.report import Failed

#: Forty levels of nine: written out it has more words than a machine has atoms.
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{LAUGHS}dependencies: [*a39]\n", "environment.yml line 2: references are not read here."),
        (f"{MERGES}dependencies: [*a39]\n", "environment.yml line 2: references are not read here."),
        (f"dependencies: {'[' * 5000}", "environment.yml is nested too deeply."),
        ("dependencies: [x]\n" + " " * LARGEST, "environment.yml is larger than 256 KiB."),
        ("dependencies: [[x]]\n", "environment.yml: a list is no dependency."),
        ("dependencies: [3.14]\n", "environment.yml: '3.14' is no dependency."),
        ("dependencies: [{pip: [{x: y}]}]\n", "environment.yml: an object is no dependency."),
        (
            "dependencies: [!!python/object/apply:os.getcwd []]\n",
            "environment.yml line 1: this is no proper YAML.",
        ),
        ("dependencies: [\n", "environment.yml line 2: this is no proper YAML."),
    ],
)
def test_a_file_that_is_meant_to_hurt_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "environment.yml").write_text(text)
    with pytest.raises(Failed) as refused:
        find_plan(tmp_path)
    assert str(refused.value) == said


def test_one_as_people_write_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text(
        "name: class\ndependencies:\n- python=3.12\n- pip\n- gdal\n- pip:\n  - numpy>=2\n"
    )
    plan = find_plan(tmp_path)
    assert plan is not None
    assert (plan.python, plan.packages, plan.requirements) == ("3.12", ("gdal",), ("numpy>=2",))


@pytest.mark.parametrize("name", ["requirements.txt", "environment.yml", "pyproject.toml"])
def test_a_link_out_of_the_repository_is_not_followed(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("[project]\ndependencies: [x]\n")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / name).symlink_to(secret)
    (tmp_path / "copy/binder").symlink_to(tmp_path)
    assert find_plan(tmp_path / "copy") is None
