"""What a report says beside what the configuration itself does."""

from __future__ import annotations

from pathlib import Path

from carrel.app.check import report_on
from carrel.config.schema import Settings


def test_templates_that_are_wrong_are_part_of_the_report(tmp_path: Path) -> None:
    (tmp_path / "login.html").write_text('{% extends "templates/logn.html" %}')
    settings = Settings(
        cookie_secret=b"0" * 32,
        directory=tmp_path,
        template_paths=["."],
        authenticator_class="dummy",
        spawner_class="simple",
    )
    told = [problem for problem in report_on(settings, []).problems if "no template" in problem.message]
    assert [(problem.location, problem.fatal) for problem in told] == [(f"{tmp_path}/login.html:1", False)]
