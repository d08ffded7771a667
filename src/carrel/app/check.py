"""The report of a configuration, with the classes that it chooses."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

from carrel.app.classes import find_classes
from carrel.config.report import Report, make_report
from carrel.config.schema import BadConfig, Problem, Settings
from carrel.config.secrets import crypt_keys


def classes_of(settings: Settings) -> list[type]:
    """Return the classes that the settings choose; what is wrong with their names goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        classes, problems = find_classes(settings)
    for problem in problems:
        if problem.setting.endswith("_class"):
            print(f"carrel: {problem}", file=sys.stderr)
    return [*classes.chosen(), *classes.others()]


def report_on(settings: Settings, problems: Sequence[Problem]) -> Report:
    """Return all that there is to say of `settings`; `problems` are those that reading them has found.

    Plug-ins are imported, nothing of theirs is instantiated or started.
    """
    # What a plug-in prints when it is imported must not get into what is printed for programs.
    with contextlib.redirect_stdout(sys.stderr):
        classes, found = find_classes(settings)
    chosen = classes.chosen_by(settings)
    complete = not any(
        problem.setting.endswith("_class") and problem.fatal for problem in (*problems, *found)
    )
    try:
        needed = complete and bool(chosen.of_authenticator("enable_auth_state"))
        crypt_keys(settings, os.environ, needed=needed)
    except BadConfig as error:
        found = [*found, *error.problems]
    return make_report(chosen, [*problems, *found, *_template_problems(settings)], complete=complete)


def _template_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the deployer's templates; directories that are missing are told elsewhere."""
    if settings.template_paths:
        from carrel.web.template_check import check_templates

        for flaw in check_templates(settings):
            if flaw.line:
                place = f"{flaw.file}:{flaw.line}"
                yield Problem("JupyterHub.template_paths", flaw.text, place, fatal=False)
